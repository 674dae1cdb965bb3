import type { UnitView } from '../data/run-view.ts'

interface Props {
  readonly unit: UnitView
  readonly held: number | null
  readonly urlOf: (step: number) => string | null
  readonly onHold: (step: number) => void
}

/** The steps so far. A click holds one. */
export function StepStrip({ unit, held, urlOf, onHold }: Props) {
  const steps = unit.steps ?? 0
  if (steps === 0) return null
  const newest = unit.pictures.size === 0 ? 0 : Math.max(...unit.pictures)
  return (
    <fieldset class="strip">
      <legend class="visually-hidden">Steps so far</legend>
      {Array.from({ length: steps }, (_, place) => {
        const step = place + 1
        const url = unit.pictures.has(step) ? urlOf(step) : null
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
