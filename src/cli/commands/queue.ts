/** `pregen jobs --queue`, `pregen cancel --queue`, `pregen retry`: what a queue holds, for people and programs. */
import { plural } from '../../printable.ts'
import { cancelSheet, retrySheet } from '../../queue/change.ts'
import { listQueue, type QueuedSheet } from '../../queue/list.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine, printLines } from '../print.ts'
import { openQueue, type QueueFlags } from '../queue-flags.ts'

export interface ListFlags extends QueueFlags {
  readonly json?: boolean
}

export async function listQueueCommand(flags: ListFlags): Promise<ExitCode> {
  const client = await openQueue(flags)
  try {
    const sheets = await listQueue(client)
    if (flags.json === true) printJson(process.stdout, sheets, 2)
    else if (sheets.length === 0) printLine(process.stdout, `${client.description} has no sheet.`)
    else printLines(process.stdout, sheets.flatMap(linesOf))
    return EXIT.ok
  } finally {
    await client.close()
  }
}

export async function cancelQueuedCommand(sheet: string, flags: QueueFlags): Promise<ExitCode> {
  const client = await openQueue(flags)
  try {
    const dropped = await cancelSheet(client, sheet)
    printLine(process.stderr, `${sheet}: ${plural(dropped, 'job')} taken out; what is in work is finished`)
    return EXIT.ok
  } finally {
    await client.close()
  }
}

export async function retryCommand(sheet: string, flags: QueueFlags): Promise<ExitCode> {
  const client = await openQueue(flags)
  try {
    const again = await retrySheet(client, sheet)
    printLine(process.stderr, `${sheet}: ${plural(again, 'job')} put in again`)
    return EXIT.ok
  } finally {
    await client.close()
  }
}

function linesOf(sheet: QueuedSheet): string[] {
  const { id, version, name, state, waiting, active, done, failed, whole, missing } = sheet
  const ended = whole === null ? '' : `, at the last end ${whole} units whole and ${missing ?? 0} missing`
  return [
    `${id.slice(0, 8)}  ${version}  ${state}  (${name})`,
    `  jobs     ${waiting} waiting, ${active.length} in work, ${done} done, ${failed} failed${ended}`,
    ...active.map(({ machine, device, cue, variant, step, steps }) =>
      cue === undefined
        ? `  in work  ${machine}`
        : `  in work  ${machine} (${device}): ${cue}/${variant}, step ${step} of ${steps}`,
    ),
    ...sheet.failures.map(({ error, tries }) => `  failed   at try ${tries}: ${error}`),
  ]
}
