import { type RunState, unitOf } from '../../../run/state.ts'
import { fileUrl } from '../data/home.ts'
import { hasFile } from '../data/merge.ts'
import { useSession } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import { Section } from './section.tsx'

const SHOWN = 8

/** The last ones that were finished. */
export function FinishedPictures({ state }: { state: RunState }) {
  const { home, version } = useSession()
  if (state.finished.length === 0 || version === null) return null
  return (
    <Section title="Finished" note={String(state.counts.done)}>
      <div class="finished">
        {state.finished.slice(0, SHOWN).map((key) => {
          const unit = unitOf(state, key)
          if (unit === null) return null
          const name = hasFile(unit, 'final.thumb.webp') ? 'final.thumb.webp' : 'final.png'
          return (
            <a
              key={key}
              href={formatRoute('gallery', [unit.cue, unit.variant])}
              title={`${unit.cue} / ${unit.variant}`}
            >
              <img src={fileUrl(home, version, unit, name)} alt={`${unit.cue} / ${unit.variant}`} />
            </a>
          )
        })}
      </div>
    </Section>
  )
}
