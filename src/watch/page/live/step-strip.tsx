import type { UnitProgress } from '../../../run/state.ts'

interface Props {
  readonly unit: UnitProgress
  readonly held: number | null
  readonly urlOf: (step: number) => string | null
  readonly onHold: (step: number) => void
}

/** The steps so far. A click holds one. */
export function StepStrip({ unit, held, urlOf, onHold }: Props) {
  const { steps, previews } = unit
  if (steps === 0) return null
  const pictures = new Set(previews.map(({ step }) => step))
  const newest = Math.max(0, ...pictures)
  return (
    <fieldset class="strip">
      <legend class="visually-hidden">Steps so far</legend>
      {Array.from({ length: steps }, (_, place) => {
        const step = place + 1
        const url = pictures.has(step) ? urlOf(step) : null
        if (url === null) return <span key={step} class="strip-place" />
        return (
          <button
            key={step}
            type="button"
            class="strip-step"
            aria-pressed={held === step}
            data-now={(held ?? newest) === step || undefined}
            aria-label={`Hold step ${step}`}
            onClick={() => onHold(step)}
          >
            <img src={url} alt="" loading="lazy" />
          </button>
        )
      })}
    </fieldset>
  )
}
