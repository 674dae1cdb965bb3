/** What is played, and the playlist. */
import { keyOf, type Variant } from '../data/show.ts'
import { countCues } from '../model/cues.ts'
import { navigate, useRoute } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import type { Choice } from './choice.ts'

interface Props {
  readonly choice: Choice
  readonly variants: readonly Variant[]
  readonly onChange: (params: Readonly<Record<string, string | null>>) => void
}

export function PickBar({ choice, variants, onChange }: Props) {
  const { params } = useRoute()
  const { main, other, layout } = choice
  if (main === null) return null
  const cues = countCues(variants)
  const isPair = layout === 'side' || layout === 'slider'
  return (
    <div class="controls picks">
      <select
        aria-label="Cue"
        value={main.cue}
        onChange={({ currentTarget }) =>
          navigate(formatRoute('replay', [currentTarget.value], { ...params, with: null }))
        }
      >
        {cues.map(({ cue }) => (
          <option key={cue} value={cue}>
            {cue}
          </option>
        ))}
      </select>
      {layout !== 'cue' && (
        <select
          aria-label="Variant"
          value={main.variant}
          onChange={({ currentTarget }) =>
            navigate(formatRoute('replay', [main.cue, currentTarget.value], params))
          }
        >
          {variants
            .filter(({ cue }) => cue === main.cue)
            .map(({ variant }) => (
              <option key={variant} value={variant}>
                {variant}
              </option>
            ))}
        </select>
      )}
      {isPair && other !== null && (
        <label class="pick">
          <span>with</span>
          <select
            value={keyOf(other)}
            onChange={({ currentTarget }) => onChange({ with: currentTarget.value })}
          >
            {cues.map(({ cue }) => (
              <optgroup key={cue} label={cue}>
                {variants
                  .filter((variant) => variant.cue === cue)
                  .map((variant) => (
                    <option key={variant.variant} value={keyOf(variant)}>
                      {variant.cue} / {variant.variant}
                    </option>
                  ))}
              </optgroup>
            ))}
          </select>
        </label>
      )}
      {main.prompt !== null && layout !== 'cue' && <span class="prompt">{main.prompt}</span>}
      <span class="space" />
      <Playlist choice={choice} cues={cues.map(({ cue }) => cue)} onChange={onChange} />
    </div>
  )
}

function Playlist({
  choice,
  cues,
  onChange,
}: Pick<Props, 'choice' | 'onChange'> & { cues: readonly string[] }) {
  const { list, advance } = choice
  const toggle = (cue: string) => {
    const next = list.includes(cue)
      ? list.filter((each) => each !== cue)
      : cues.filter((each) => each === cue || list.includes(each))
    onChange({ list: next.length === 0 ? null : next.join('|') })
  }
  return (
    <details class="values playlist">
      <summary>{list.length === 0 ? 'Playlist' : `Playlist (${list.length})`}</summary>
      <div class="values-box">
        <fieldset>
          <legend>Cues, one after the other</legend>
          {cues.map((cue) => (
            <label key={cue}>
              <input type="checkbox" checked={list.includes(cue)} onChange={() => toggle(cue)} />
              {cue}
            </label>
          ))}
        </fieldset>
        <fieldset>
          <legend>Moves on</legend>
          <label>
            <input
              type="radio"
              name="advance"
              checked={advance === 'auto'}
              onChange={() => onChange({ advance: null })}
            />
            by itself
          </label>
          <label>
            <input
              type="radio"
              name="advance"
              checked={advance === 'key'}
              onChange={() => onChange({ advance: 'key' })}
            />
            on a key: N, Page Down
          </label>
          <p class="buttons">
            <button type="button" onClick={() => onChange({ list: cues.join('|') })}>
              All
            </button>
            <button type="button" onClick={() => onChange({ list: null })}>
              None
            </button>
          </p>
        </fieldset>
      </div>
    </details>
  )
}
