/** `pregen enqueue`: puts what a sheet's bucket lacks into the queue. */
import { readSheetBytes } from '../../cue-sheet/read.ts'
import { plural } from '../../printable.ts'
import { enqueueSheet } from '../../queue/enqueue.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLine } from '../print.ts'
import { createHashProgress } from '../progress.ts'
import { openQueue, type QueueFlags } from '../queue-flags.ts'
import { type SelectFlags, toSelectOptions } from '../select-options.ts'
import { readSheetInput } from '../sheet-input.ts'
import { watchSignals } from '../signals.ts'

export interface EnqueueFlags extends Omit<SelectFlags, 'out'>, QueueFlags {
  readonly priority: number
  readonly json?: boolean
}

export async function enqueueCommand(sheetPath: string, flags: EnqueueFlags): Promise<ExitCode> {
  const say = (line: string) => printLine(process.stderr, line)
  const signals = watchSignals(say)
  const client = await openQueue(flags)
  try {
    const hashing = await createHashProgress()
    const source = await readSheetInput(sheetPath)
    const enqueued = await enqueueSheet(client, {
      // Nothing is written: the folder is a name alone.
      ...toSelectOptions(sheetPath, { ...flags, out: 'out' }),
      ...source,
      sheetBytes: source.sheetBytes ?? (await readSheetBytes(sheetPath)),
      onHash: hashing.onHash,
      priority: flags.priority,
      warn: ({ code, message }) => say(`warning  ${code}  ${message}`),
      signal: signals.signal,
    })
    if (flags.json === true) printJson(process.stdout, enqueued, 2)
    else {
      const { version, units, whole, jobs, known } = enqueued
      const there = known === 0 ? '' : `, ${known} in the queue already`
      printLine(
        process.stdout,
        `${version}: ${plural(units, 'unit')}, ${whole} whole in the bucket, ${plural(jobs, 'job')} put into ${client.description}${there}`,
      )
    }
    return signals.exitCode() ?? EXIT.ok
  } finally {
    signals.close()
    await client.close()
  }
}
