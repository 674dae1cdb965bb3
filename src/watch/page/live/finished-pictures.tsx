import { fileUrl } from '../data/home.ts'
import type { RunView } from '../data/run-view.ts'
import { useSession } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import { Section } from './section.tsx'

const SHOWN = 8

/** The last ones that were finished. */
export function FinishedPictures({ view }: { view: RunView }) {
  const { home, version } = useSession()
  if (view.finished.length === 0 || version === null) return null
  return (
    <Section title="Finished" note={String(view.done)}>
      <div class="finished">
        {view.finished.slice(0, SHOWN).map((key) => {
          const unit = view.units.get(key)
          if (unit === undefined) return null
          const name = unit.files.has('final.thumb.webp') ? 'final.thumb.webp' : 'final.png'
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
