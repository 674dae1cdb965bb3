import { isAtWork } from '../data/run-list.ts'
import { formatLeft } from '../model/format.ts'
import { useSession } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import { Section } from './section.tsx'

const SHOWN = 6

/** Other runs of this folder: those that wait, in their order, then the last ones. */
export function OtherRuns() {
  const { runs, run } = useSession()
  const others = runs.filter(({ id }) => id !== run?.id)
  const queue = others.filter(isAtWork).sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  const shown = [...queue, ...others.filter((each) => !isAtWork(each))].slice(
    0,
    Math.max(SHOWN, queue.length),
  )
  if (shown.length === 0) return null
  return (
    <Section title="Other runs" {...(queue.length > 0 ? { note: `${queue.length} at work` } : {})}>
      <ol class="next">
        {shown.map((each) => (
          <li key={each.id}>
            <a class="name" href={formatRoute('live', [], { run: each.id })}>
              {each.version ?? each.id}
            </a>
            <span class="dim">
              {each.isUpload ? 'upload, ' : ''}
              {each.state}
              {each.state === 'queued' && each.position !== null ? `, place ${each.position}` : ''}
              {isAtWork(each) && each.etaSeconds !== null ? `, ${formatLeft(each.etaSeconds * 1000)}` : ''}
            </span>
          </li>
        ))}
      </ol>
    </Section>
  )
}
