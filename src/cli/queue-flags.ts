/** The address of the queue: a flag, or a variable, which other users of the machine cannot read. */
import { PregenError } from '../errors.ts'
import { type ConnectOptions, connectQueue, type QueueClient } from '../queue/connect.ts'
import { printLine } from './print.ts'

export interface QueueFlags {
  readonly queue?: string | undefined
}

/** undefined: none is named. */
export function queueAddress({ queue = process.env.PREGEN_QUEUE }: QueueFlags): string | undefined {
  return queue === '' ? undefined : queue
}

/** @throws PregenError `E_QUEUE_ADDRESS`, `E_QUEUE_UNREACHABLE` */
export async function openQueue(
  flags: QueueFlags,
  wait: Pick<ConnectOptions, 'patienceMs' | 'signal'> = {},
): Promise<QueueClient> {
  const queue = queueAddress(flags)
  if (queue === undefined) {
    throw new PregenError('E_QUEUE_ADDRESS', 'No queue is named.', {
      help: 'Name it with --queue redis://host:6379, or in PREGEN_QUEUE.',
    })
  }
  return await connectQueue(queue, {
    ...wait,
    say: (line) => printLine(process.stderr, line),
    warn: (code, message) => printLine(process.stderr, `warning  ${code}  ${message}`),
  })
}
