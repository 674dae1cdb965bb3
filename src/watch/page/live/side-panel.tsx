/** What there is to know of a run, beside its picture. */
import type { ComponentChildren } from 'preact'
import { expectedLeftMs, outcomeOf, type RunState, type UnitProgress, unitsOf } from '../../../run/state.ts'
import type { LiveWay } from '../data/live-feed.ts'
import type { Progress } from '../data/progress.ts'
import type { RunEntry } from '../data/run-list.ts'
import { redoCommand, resumeCommand } from '../model/command.ts'
import { formatLeft, formatPace } from '../model/format.ts'
import { CopyCommand } from '../parts/copy.tsx'
import { useSession } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import { FinishedPictures } from './finished-pictures.tsx'
import { OtherRuns } from './other-runs.tsx'
import { Section } from './section.tsx'
import { StopButton } from './stop-button.tsx'

const WAYS: Readonly<Record<LiveWay, string>> = {
  connecting: 'connecting',
  socket: 'pushed by the server',
  polling: 'asked for each second, until the socket is back',
  lost: 'reconnecting, the run goes on',
}

const NEXT_SHOWN = 3
const FAILED_SHOWN = 20

interface Props {
  readonly run: RunEntry
  readonly state: RunState
  readonly isWorking: boolean
  readonly progress: Progress | null
  readonly way: LiveWay
  readonly children: ComponentChildren
}

export function SidePanel({ run, state, isWorking, progress, way, children }: Props) {
  const { version } = useSession()
  const units = unitsOf(state)
  const { counts, steps, uploads, devices, warnings, uploadFaults } = state
  const waiting = units.filter(({ status }) => status === 'queued')
  const failed = units.filter(({ status }) => status === 'failed')
  const share = steps.planned === 0 ? 0 : Math.min(1, steps.done / steps.planned)
  const left = expectedLeftMs(state) ?? toMs(run.etaSeconds ?? progress?.etaSeconds ?? null)
  const target = { sheet: run.sheet, out: run.out, version: run.version ?? version?.id ?? null }
  const name = outcomeOf(state) ?? run.state
  return (
    <div class="side">
      <p class="visually-hidden" role="status">
        {state.finished[0] === undefined ? '' : `${state.finished[0].replace('/', ' / ')} is finished`}
      </p>
      <Section
        title="Run"
        note={counts.planned > 0 ? `${counts.done + counts.skipped} of ${counts.planned}` : name}
      >
        <progress
          class="bar-progress"
          max={1}
          value={name === 'done' ? 1 : share}
          aria-label="Progress of the run"
          data-state={name}
        />
        <dl class="numbers">
          {isWorking ? (
            <Fact name="Time left" value={left === null ? 'not known yet' : formatLeft(left)} />
          ) : (
            <Fact name="State" value={name} />
          )}
          {devices.map((device) => (
            <Fact
              key={device.name}
              name={devices.length > 1 && device.unit !== null ? device.unit.replace('/', ' / ') : 'Device'}
              value={device.stepMs === null ? device.name : `${device.name} · ${formatPace(device.stepMs)}`}
            />
          ))}
          {counts.skipped > 0 && <Fact name="Whole already" value={String(counts.skipped)} />}
          {uploads.sent + uploads.expected > 0 && (
            <Fact
              name="Sent to the bucket"
              value={`${uploads.sent}${uploads.expected > 0 ? ` of ${uploads.expected}` : ' files'}`}
            />
          )}
          {isWorking && way !== 'socket' && <Fact name="Pictures" value={WAYS[way]} />}
        </dl>
      </Section>
      {!isWorking && <Over run={run} state={name} command={resumeCommand(target)} left={waiting.length} />}
      {isWorking && waiting.length > 0 && (
        <Section title="Next" note={String(waiting.length)}>
          <ol class="next">
            {waiting.slice(0, NEXT_SHOWN).map((unit) => (
              <li key={`${unit.cue}/${unit.variant}`}>
                <span class="name">
                  {unit.cue} / {unit.variant}
                </span>
                <span class="dim">{unit.steps} steps</span>
              </li>
            ))}
          </ol>
        </Section>
      )}
      <OtherRuns />
      <FinishedPictures state={state} />
      {(failed.length > 0 || uploadFaults.length > 0) && (
        <Section title="Failed" note={String(failed.length + uploadFaults.length)}>
          {failed.slice(0, FAILED_SHOWN).map((unit) => (
            <Failure
              key={`${unit.cue}/${unit.variant}`}
              unit={unit}
              command={redoCommand(target, unit.cue, unit.variant, false)}
            />
          ))}
          {failed.length > FAILED_SHOWN && (
            <a href={formatRoute('gallery', [], { state: 'failed' })}>All {failed.length} that failed</a>
          )}
          {uploadFaults.slice(0, FAILED_SHOWN).map(({ key, message }) => (
            <div key={key} class="failure">
              <h3>{key}</h3>
              <p>{message}</p>
            </div>
          ))}
        </Section>
      )}
      {warnings.length > 0 && (
        <details class="warnings">
          <summary>{warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`}</summary>
          {warnings.slice(0, FAILED_SHOWN).map(({ message }) => (
            <p key={message}>{message}</p>
          ))}
        </details>
      )}
      <div class="side-foot">
        {children}
        {isWorking && <StopButton run={run} command={resumeCommand(target)} />}
      </div>
    </div>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Failure({ unit, command }: { unit: UnitProgress; command: string }) {
  return (
    <div class="failure">
      <h3>
        {unit.cue} / {unit.variant}
      </h3>
      {unit.error !== null && (
        <p>
          {unit.error.message}
          <span class="dim">
            {' '}
            ({unit.error.stage}
            {unit.error.code === '' ? '' : `, ${unit.error.code}`})
          </span>
        </p>
      )}
      <CopyCommand command={command} />
    </div>
  )
}

const ENDINGS: Readonly<Record<string, string>> = {
  done: 'Everything that was asked for is there.',
  partial: 'Some pictures failed; the others are there. The same command draws what is missing:',
  cancelled: 'It was stopped. What was finished is kept, and the same command goes on:',
  drained: 'It was stopped when the picture in hand was finished. The same command goes on:',
  died: 'Its process is gone, and what was finished is kept. The same command goes on where it was:',
  failed: 'It could not go on. What was finished is kept:',
}

function Over({
  run,
  state,
  command,
  left,
}: {
  run: RunEntry
  state: string
  command: string
  left: number
}) {
  const sentence = ENDINGS[state]
  if (sentence === undefined) return null
  return (
    <section class="side-section over" data-state={state}>
      <p>{sentence}</p>
      {run.error !== null && <p class="dim">{run.error}</p>}
      {state !== 'done' && <CopyCommand command={command} />}
      {left > 0 && state !== 'done' && <p class="dim">{left} still to draw</p>}
    </section>
  )
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000
}
