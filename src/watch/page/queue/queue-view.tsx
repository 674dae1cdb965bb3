/** A queue that machines share: its sheets, who draws what, what failed. */
import { useEffect, useRef } from 'preact/hooks'
import type { QueueSheet } from '../data/queue-list.ts'
import { describeQueue, sortSheets } from '../model/queue.ts'
import { CopyCommand } from '../parts/copy.tsx'
import { useSession } from '../parts/hooks.ts'
import { Calm } from '../parts/states.tsx'
import { EndedSheet, SheetBlock } from './sheet-block.tsx'
import { type Changes, useChanges } from './use-changes.ts'
import { useQueue } from './use-queue.ts'

export function QueueView() {
  const { loaded, trouble } = useSession()
  if (!loaded) return <Calm title={trouble?.kind === 'token' ? 'This page needs its key' : 'Loading …'} />
  return <Queue />
}

function Queue() {
  const { sheets, isAway, lookAgain } = useQueue()
  const hasChanged = useRef(false)
  const changes = useChanges(() => {
    hasChanged.current = true
    lookAgain()
  })
  useEffect(() => {
    // The button that was pressed may be gone with its sheet; who goes by keyboard stays in the view.
    if (hasChanged.current && document.activeElement === document.body)
      document.getElementById('main')?.focus()
    hasChanged.current = false
  }, [sheets])
  if (sheets === null && isAway) {
    return (
      <Calm title="The queue does not answer">
        <p>
          Its Redis is away, or not there yet. This page looks for it, and shows it as soon as it is back.
        </p>
      </Calm>
    )
  }
  if (sheets === null) return <Calm title="Loading …" />
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section class="queue" aria-label="Queue" tabIndex={0}>
      {sheets.length > 0 && (
        <div class="queue-top">
          <h1>Queue</h1>
          <p class="dim">{describeQueue(sheets)}</p>
        </div>
      )}
      <p class="queue-told" role="status" hidden={changes.told === ''}>
        {changes.told}
      </p>
      <p class="queue-away" role="status" hidden={!isAway}>
        The queue does not answer. This is how it was; machines wait for it with what they have in hand, and
        this page looks for it.
      </p>
      {sheets.length === 0 ? <Empty /> : <Sheets sheets={sheets} changes={changes} />}
    </section>
  )
}

function Sheets({ sheets, changes }: { sheets: readonly QueueSheet[]; changes: Changes }) {
  const { open, over } = sortSheets(sheets)
  const block = (sheet: QueueSheet) => <SheetBlock key={sheet.id} sheet={sheet} changes={changes} />
  return (
    <>
      {open.map(block)}
      {open.length > 0 && sheets.every(({ active }) => active.length === 0) && (
        <div class="queue-help">
          <p>No machine is at work. On each that shall be, with the queue’s address in PREGEN_QUEUE:</p>
          <CopyCommand command="pregen work" />
        </div>
      )}
      {over.filter(({ failed }) => failed > 0).map(block)}
      {over
        .filter(({ failed }) => failed === 0)
        .map((sheet) => (
          <EndedSheet key={sheet.id} sheet={sheet} changes={changes} />
        ))}
    </>
  )
}

function Empty() {
  return (
    <Calm title="The queue is empty">
      <p>Put a sheet in, and have any number of machines draw it:</p>
      <CopyCommand command="pregen enqueue cues.yaml" />
      <CopyCommand command="pregen work" />
      <p>Both read the queue’s address from PREGEN_QUEUE.</p>
    </Calm>
  )
}
