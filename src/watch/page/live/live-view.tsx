/** A run at work: the picture in the making, as large as the window allows, and what there is to know beside it. */
import { useState } from 'preact/hooks'
import { type RunState, type UnitProgress, unitOf } from '../../../run/state.ts'
import { leftOfUnit } from '../data/estimate.ts'
import { fileUrl } from '../data/home.ts'
import { isAtWork, type RunEntry } from '../data/run-list.ts'
import type { Show } from '../data/show.ts'
import { formatLeft } from '../model/format.ts'
import { useSession } from '../parts/hooks.ts'
import { keepPreferences, readPreferences } from '../parts/preferences.ts'
import { Calm, NoRun } from '../parts/states.tsx'
import { LiveStage } from './live-stage.tsx'
import { SidePanel } from './side-panel.tsx'
import { StepStrip } from './step-strip.tsx'
import { useLiveFeed } from './use-live-feed.ts'

export function LiveView() {
  const { loaded, trouble, run, state } = useSession()
  if (!loaded) return <Calm title={trouble?.kind === 'token' ? 'This page needs its key' : 'Loading …'} />
  if (run === null || state === null) return <NoRun />
  return <LiveRun key={run.id} run={run} state={state} />
}

function LiveRun({ run, state }: { run: RunEntry; state: RunState }) {
  const { home, version, show } = useSession()
  const [preferences, setPreferences] = useState(readPreferences)
  const [held, setHeld] = useState<{ key: string; step: number } | null>(null)
  const live = useLiveFeed(run.id, preferences)
  const { progress } = live
  const isWorking = state.end === null && isAtWork(run)
  const currentKey = progress?.active && progress.cue !== null ? `${progress.cue}/${progress.variant}` : null
  const key = (isWorking ? (currentKey ?? state.drawing.at(-1)) : null) ?? state.finished[0] ?? null
  const unit = key === null ? null : unitOf(state, key)
  const heldStep = held !== null && held.key === key ? held.step : null
  const prompt = unit === null ? null : promptOf(show, unit)
  const urlOf = (name: string) =>
    unit === null || version === null ? null : fileUrl(home, version, unit, name)
  const pictureUrl = (step: number | 'final') => urlOf(`${step}.png`)
  // A step that is held may move.
  const heldUrl = (step: number) => {
    const moves = unit?.previews.some((preview) => preview.step === step && preview.animation !== null)
    return moves ? urlOf(`${step}.webp`) : pictureUrl(step)
  }
  const change = (next: Partial<typeof preferences>) => {
    const changed = { ...preferences, ...next }
    keepPreferences(changed)
    setPreferences(changed)
  }
  return (
    <div class="live">
      <div class="live-main">
        <LiveStage
          live={live}
          unit={unit}
          isWorking={isWorking}
          run={run}
          heldUrl={heldStep === null ? null : heldUrl(heldStep)}
          finalUrl={unit?.status === 'done' ? pictureUrl('final') : null}
        />
        {unit !== null && (
          <>
            <div class="live-caption">
              <h1>
                {unit.cue} / {unit.variant}
              </h1>
              {prompt !== null && <p class="prompt">{prompt}</p>}
              <p class="live-step">
                {heldStep === null
                  ? stepText(unit, progress?.step ?? null)
                  : `held at ${heldStep} of ${unit.steps}`}
                {heldStep !== null && (
                  <button type="button" onClick={() => setHeld(null)}>
                    Back to live
                  </button>
                )}
              </p>
            </div>
            <StepStrip
              unit={unit}
              held={heldStep}
              urlOf={(step) => pictureUrl(step)}
              onHold={(step) => setHeld(key === null || step === heldStep ? null : { key, step })}
            />
          </>
        )}
      </div>
      <SidePanel run={run} state={state} isWorking={isWorking} progress={progress} way={live.way}>
        <fieldset class="settings">
          <legend class="visually-hidden">Live pictures</legend>
          <label>
            Picture every
            <select
              value={preferences.every}
              onChange={({ currentTarget }) => change({ every: Number(currentTarget.value) })}
            >
              {[1, 2, 3, 5, 10].map((every) => (
                <option key={every} value={every}>
                  {every === 1 ? 'step' : `${every} steps`}
                </option>
              ))}
            </select>
          </label>
          <label>
            <input
              type="checkbox"
              checked={preferences.keep}
              onChange={({ currentTarget }) => change({ keep: currentTarget.checked })}
            />
            Go on in the background
          </label>
        </fieldset>
      </SidePanel>
    </div>
  )
}

/** Of the variant; else what all others of its cue share, for one that is not listed yet. */
function promptOf(show: Show | null, unit: UnitProgress): string | null {
  const ofCue = show?.variants.filter(({ cue }) => cue === unit.cue) ?? []
  const own = ofCue.find(({ variant }) => variant === unit.variant)
  const prompts = new Set(ofCue.map(({ prompt }) => prompt))
  return own?.prompt ?? (prompts.size === 1 ? (ofCue[0]?.prompt ?? null) : null)
}

/** `13 of 20 · 0.4 s left`. */
function stepText(unit: UnitProgress, reportedStep: number | null): string {
  if (unit.status === 'done') return 'finished'
  const step = unit.status === 'drawing' ? Math.max(unit.step, reportedStep ?? 0) : unit.step
  const left = leftOfUnit(unit)
  return `${step} of ${unit.steps}${left === null ? '' : ` · ${formatLeft(left)} left`}`
}
