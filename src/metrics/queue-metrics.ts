/** What stands in a queue that machines share, asked when somebody scrapes. */
import prometheus, { type Registry } from 'prom-client'

/** Jobs by their state. */
export type QueueCounts = Readonly<Record<'waiting' | 'active' | 'delayed' | 'failed', number>>

/** A scraper waits ten seconds; a queue that is away is told before. */
const PATIENCE_MS = 3000

/** Every machine that is scraped tells the same of the queue: take the `max` of them. */
export function addQueueMetrics(registry: Registry, count: () => Promise<QueueCounts>): void {
  const registers = [registry]
  let asking: Promise<QueueCounts | null> | undefined
  // Both gauges of one scrape share one question.
  const ask = () => {
    asking ??= inTime(count).finally(() => {
      asking = undefined
    })
    return asking
  }
  new prometheus.Gauge({
    ...{ name: 'pregen_queue_up', help: 'Whether the queue answers.', registers },
    async collect() {
      this.set((await ask()) === null ? 0 : 1)
    },
  })
  new prometheus.Gauge({
    ...{
      name: 'pregen_queue_jobs',
      help: 'Jobs in the queue, by their state.',
      labelNames: ['state'],
      registers,
    },
    async collect() {
      const counts = await ask()
      this.reset()
      for (const [state, value] of Object.entries(counts ?? {})) this.set({ state }, value)
    },
  })
}

/** null: the queue does not answer, which is what there is to tell. */
async function inTime(count: () => Promise<QueueCounts>): Promise<QueueCounts | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS)
  })
  try {
    return await Promise.race([count().catch(() => null), late])
  } finally {
    clearTimeout(timer)
  }
}
