/** What there is to know of a run, beside its picture. */
import type { ComponentChildren } from 'preact'
import { leftOfRun } from '../data/estimate.ts'
import type { LiveWay } from '../data/live-feed.ts'
import type { Progress } from '../data/progress.ts'
import type { RunEntry } from '../data/run-list.ts'
import type { RunView, UnitView } from '../data/run-view.ts'
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
  readonly view: RunView
  readonly isWorking: boolean
  readonly progress: Progress | null
  readonly way: LiveWay
  readonly children: ComponentChildren
}

export function SidePanel({ run, view, isWorking, progress, way, children }: Props) {
  const { version } = useSession()
  const units = [...view.units.values()]
  const waiting = units.filter(({ state }) => state === 'waiting')
  const failed = units.filter(({ state }) => state === 'failed')
  const ended = view.done + view.skipped
  const share = view.stepsPlanned === 0 ? 0 : Math.min(1, view.stepsDone / view.stepsPlanned)
  const left = leftOfRun(view) ?? toMs(run.etaSeconds ?? progress?.etaSeconds ?? null)
  const target = { sheet: run.sheet, out: run.out, version: run.version ?? version?.id ?? null }
  const state = view.over ?? run.state
  return (
    <div class="side">
      <p class="visually-hidden" role="status">
        {view.finished[0] === undefined ? '' : `${view.finished[0].replace('/', ' / ')} is finished`}
      </p>
      <Section title="Run" note={view.planned > 0 ? `${ended} of ${view.planned}` : state}>
        <progress
          class="bar-progress"
          max={1}
          value={state === 'done' ? 1 : share}
          aria-label="Progress of the run"
          data-state={state}
        />
        <dl class="numbers">
          {isWorking ? (
            <Fact name="Time left" value={left === null ? 'not known yet' : formatLeft(left)} />
          ) : (
            <Fact name="State" value={state} />
          )}
          {[...view.devices.values()].map((device) => (
            <Fact
              key={device.name}
              name={
                view.devices.size > 1 && device.current !== null
                  ? device.current.replace('/', ' / ')
                  : 'Device'
              }
              value={device.stepMs === null ? device.name : `${device.name} · ${formatPace(device.stepMs)}`}
            />
          ))}
          {view.skipped > 0 && <Fact name="Whole already" value={String(view.skipped)} />}
          {view.uploaded + view.uploadsExpected > 0 && (
            <Fact
              name="Sent to the bucket"
              value={`${view.uploaded}${view.uploadsExpected > 0 ? ` of ${view.uploadsExpected}` : ' files'}`}
            />
          )}
          {isWorking && way !== 'socket' && <Fact name="Pictures" value={WAYS[way]} />}
        </dl>
      </Section>
      {!isWorking && <Over run={run} state={state} command={resumeCommand(target)} left={waiting.length} />}
      {isWorking && waiting.length > 0 && (
        <Section title="Next" note={String(waiting.length)}>
          <ol class="next">
            {waiting.slice(0, NEXT_SHOWN).map((unit) => (
              <li key={`${unit.cue}/${unit.variant}`}>
                <span class="name">
                  {unit.cue} / {unit.variant}
                </span>
                {unit.steps !== null && <span class="dim">{unit.steps} steps</span>}
              </li>
            ))}
          </ol>
        </Section>
      )}
      <OtherRuns />
      <FinishedPictures view={view} />
      {(failed.length > 0 || view.uploadFaults.length > 0) && (
        <Section title="Failed" note={String(failed.length + view.uploadFaults.length)}>
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
          {view.uploadFaults.slice(0, FAILED_SHOWN).map(({ key, message }) => (
            <div key={key} class="failure">
              <h3>{key}</h3>
              <p>{message}</p>
            </div>
          ))}
        </Section>
      )}
      {view.warnings.length > 0 && (
        <details class="warnings">
          <summary>{view.warnings.length === 1 ? '1 warning' : `${view.warnings.length} warnings`}</summary>
          {view.warnings.slice(0, FAILED_SHOWN).map((message) => (
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

function Failure({ unit, command }: { unit: UnitView; command: string }) {
  return (
    <div class="failure">
      <h3>
        {unit.cue} / {unit.variant}
      </h3>
      {unit.fault !== null && (
        <p>
          {unit.fault.message}
          <span class="dim">
            {' '}
            ({unit.fault.stage}
            {unit.fault.code === '' ? '' : `, ${unit.fault.code}`})
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
