import type { ComponentChildren } from 'preact'
import type { QueueSheet } from '../data/queue-list.ts'
import { enqueueLine, retryLine, shortId } from '../model/command.ts'
import { countOf, formatAge } from '../model/format.ts'
import { progressOf, type Standing, standingOf } from '../model/queue.ts'
import { useSession } from '../parts/hooks.ts'
import { formatRoute } from '../route.ts'
import { AskButton } from './ask-button.tsx'
import { FailureList } from './failure-list.tsx'
import { MachineTable } from './machine-table.tsx'
import type { Changes } from './use-changes.ts'

const WORDS: Readonly<Record<Standing, string>> = {
  working: 'at work',
  waiting: 'waiting for a machine',
  ending: 'its manifest is next',
  done: 'done',
  partial: 'ended, not whole',
  cancelled: 'cancelled',
}
/** Colours of states are those of runs. */
const DOTS: Readonly<Record<Standing, string>> = {
  working: 'running',
  waiting: 'queued',
  ending: 'running',
  done: 'done',
  partial: 'partial',
  cancelled: 'cancelled',
}

interface Props {
  readonly sheet: QueueSheet
  readonly changes: Changes
}

/** A sheet that goes on, or that failed in part. */
export function SheetBlock({ sheet, changes }: Props) {
  const { failed, waiting, active, whole, missing } = sheet
  const standing = standingOf(sheet)
  const { share, text, noun } = progressOf(sheet)
  const isOver = standing === 'partial'
  return (
    <article class="queue-sheet" aria-label={sheet.version} data-standing={standing}>
      <SheetHead sheet={sheet}>
        {failed > 0 && <RetryButton sheet={sheet} changes={changes} />}
        {isOver ? (
          <ForgetButton sheet={sheet} changes={changes} />
        ) : (
          <CancelButton sheet={sheet} changes={changes} />
        )}
      </SheetHead>
      <progress
        class="bar-progress"
        max={1}
        value={share}
        aria-label={`Progress of ${sheet.version}`}
        data-state={standing}
      />
      <dl class="queue-figures">
        <Figure name={noun === 'units' ? 'Units whole' : 'Jobs done'} value={text} />
        <Figure name="Waiting" value={waiting.toLocaleString('en')} />
        <Figure name="In work" value={active.length.toLocaleString('en')} />
        <Figure name="Failed" value={failed.toLocaleString('en')} isBad={failed > 0} />
      </dl>
      {!isOver && whole !== null && (
        <p class="dim">
          At its last end {countOf(whole, 'unit')} were whole
          {missing !== null && missing > 0 ? ` and ${missing.toLocaleString('en')} missing` : ''}.
        </p>
      )}
      {(active.length > 0 || failed > 0) && (
        <div class="queue-columns">
          {active.length > 0 && <MachineTable units={active} sheet={sheet.version} />}
          {failed > 0 && <FailureList sheet={sheet} />}
        </div>
      )}
    </article>
  )
}

/** One that is over, on a line. */
export function EndedSheet({ sheet, changes }: Props) {
  const { text, noun } = progressOf(sheet)
  return (
    <article class="queue-ended" aria-label={sheet.version}>
      <SheetHead sheet={sheet} note={standingOf(sheet) === 'cancelled' ? undefined : `${text} ${noun}`}>
        <ForgetButton sheet={sheet} changes={changes} />
      </SheetHead>
    </article>
  )
}

function SheetHead({
  sheet,
  note,
  children,
}: {
  sheet: QueueSheet
  note?: string | undefined
  children: ComponentChildren
}) {
  const { versions } = useSession()
  const { id, name, version, submitted, ended } = sheet
  const standing = standingOf(sheet)
  const now = Date.now()
  const when =
    ended !== null && !['working', 'waiting', 'ending'].includes(standing)
      ? `ended ${formatAge(now - ended)}`
      : submitted === null
        ? null
        : `put in ${formatAge(now - submitted)}`
  const facts = [note, name, shortId(id), when].filter((fact) => fact != null && fact !== '')
  // Its pictures are looked at here where the folder that is served has them.
  const isHere = versions.some((one) => one.id === version)
  return (
    <header class="queue-head">
      <div class="queue-name">
        <h2>{isHere ? <a href={formatRoute('gallery', [], { version })}>{version}</a> : version}</h2>
        <p class="run-state" data-state={DOTS[standing]}>
          <span class="dot" aria-hidden="true" />
          {WORDS[standing]}
        </p>
        <p class="dim queue-facts">{facts.join(' · ')}</p>
      </div>
      <div class="actions">{children}</div>
    </header>
  )
}

function Figure({ name, value, isBad = false }: { name: string; value: string; isBad?: boolean }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? 'bad' : undefined}>{value}</dd>
    </div>
  )
}

function RetryButton({ sheet, changes }: Props) {
  return (
    <AskButton
      label="Try again"
      subject={sheet.version}
      title={`Try again what failed of ${sheet.version}?`}
      yes="Try again"
      no="Leave it"
      onYes={() => changes.retry(sheet)}
    >
      <p>{countOf(sheet.failed, 'job')} may be drawn by any machine again, as by this command:</p>
      <code>{retryLine(sheet.id)}</code>
    </AskButton>
  )
}

function CancelButton({ sheet, changes }: Props) {
  const { waiting, active, name, version } = sheet
  return (
    <AskButton
      label="Cancel"
      subject={version}
      title={`Cancel ${version}?`}
      yes="Cancel the sheet"
      no="Let it go on"
      isBad
      onYes={() => changes.cancel(sheet)}
    >
      <p>
        What waits is dropped ({countOf(waiting, 'job')}); what is in work is finished (
        {countOf(active.length, 'job')}). What the bucket has stays, and no manifest is written. Put in again,
        the sheet goes on with what is missing:
      </p>
      <code>{enqueueLine(name, version)}</code>
    </AskButton>
  )
}

function ForgetButton({ sheet, changes }: Props) {
  return (
    <AskButton
      label="Take off the list"
      subject={sheet.version}
      title={`Take ${sheet.version} off the list?`}
      yes="Take it off"
      no="Keep it"
      isQuiet
      onYes={() => changes.forget(sheet)}
    >
      <p>The queue forgets it. Its pictures and its manifest stay where they are.</p>
    </AskButton>
  )
}
