/** Routes of a queue that machines share. Whoever may start and end runs here may try again and cancel there. */
import type { Context, Hono } from 'hono'
import { PregenError } from '../../errors.ts'
import { z } from '../../zod.ts'
import { faultsOf } from './faults.ts'

const text = z.string()
const count = z.int().min(0)

/** A sheet of the queue, as `pregen jobs --queue --json` has it. */
export const queuedSheetSchema = z.object({
  id: text,
  name: text,
  version: text,
  state: z.enum(['queued', 'done', 'partial', 'cancelled']),
  submitted: text,
  ended: text.nullable(),
  units: count,
  waiting: count,
  done: count,
  failed: count,
  active: z.array(
    z.object({
      machine: text,
      since: text.nullable(),
      device: text.optional(),
      cue: text.optional(),
      variant: text.optional(),
      step: count.optional(),
      steps: count.optional(),
    }),
  ),
  failures: z.array(
    z.object({
      units: z.array(count),
      cue: text.optional(),
      variant: text.optional(),
      machine: text.nullable(),
      tries: count,
      error: text,
    }),
  ),
  whole: count.nullable(),
  missing: count.nullable(),
})
export type QueuedSheetAnswer = ReadonlyDeep<z.infer<typeof queuedSheetSchema>>

type ReadonlyDeep<T> = T extends (infer U)[]
  ? readonly ReadonlyDeep<U>[]
  : T extends object
    ? { readonly [K in keyof T]: ReadonlyDeep<T[K]> }
    : T

export const changedSchema = z.object({ jobs: count })

/** All of it @throws PregenError `E_QUEUE_UNREACHABLE` while the queue is away, `E_QUEUE_SHEET` for a sheet that it has not */
export interface ServedQueue {
  readonly list: () => Promise<readonly QueuedSheetAnswer[]>
  readonly count: () => Promise<Readonly<Record<'waiting' | 'active' | 'delayed' | 'failed', number>>>
  /** @returns jobs put in again */
  readonly retry: (sheet: string) => Promise<number>
  /** @returns jobs taken out */
  readonly cancel: (sheet: string) => Promise<number>
  readonly close: () => Promise<void>
}

/** Its address is nobody's business who looks. */
function away(): PregenError {
  return new PregenError('E_QUEUE_UNREACHABLE', 'The queue does not answer.', {
    help: 'Why is told where the server runs; it looks for the queue until it is back.',
  })
}

export function addQueueRoutes(app: Hono, queue: ServedQueue): void {
  const answer = async (context: Context, of: () => Promise<object>): Promise<Response> => {
    try {
      return context.json(await of(), 200, { 'cache-control': 'no-store' })
    } catch (error) {
      const code = error instanceof PregenError ? error.code : null
      if (code === 'E_QUEUE_SHEET') return context.json(faultsOf(error as PregenError), 404)
      if (code === 'E_QUEUE_UNREACHABLE') return context.json(faultsOf(away()), 503)
      throw error
    }
  }
  app.get('/api/queue', (context) => answer(context, queue.list))
  app.get('/api/queue/:sheet', (context) =>
    answer(context, async () => {
      const id = context.req.param('sheet')
      const sheet = (await queue.list()).find((one) => one.id === id)
      if (sheet !== undefined) return sheet
      throw new PregenError('E_QUEUE_SHEET', 'The queue has no such sheet.')
    }),
  )
  app.post('/api/queue/:sheet/retry', (context) =>
    answer(context, async () => ({ jobs: await queue.retry(context.req.param('sheet')) })),
  )
  app.post('/api/queue/:sheet/cancel', (context) =>
    answer(context, async () => ({ jobs: await queue.cancel(context.req.param('sheet')) })),
  )
}
