/** Open files and sockets stay few, however many objects are sent and however badly that goes. */
import { compileSource } from '../support/child.ts'

/** Rounds of sending a set in each way; after each, the process counts its own descriptors. */
const SENDER = `
  import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
  import { join } from 'node:path'
  import { createLayout } from './src/artifacts/layout.js'
  import { openLedger } from './src/artifacts/ledger.js'
  import { acquireLock } from './src/artifacts/lock.js'
  import { createVariantWriter } from './src/artifacts/variant-writer.js'
  import { createS3Storage } from './src/storage/s3.js'
  import { createUploader } from './src/storage/uploader.js'

  const [out, endpoint, rounds] = process.argv.slice(2)
  const warnings = []
  process.on('warning', ({ message }) => warnings.push(message))
  const credentials = { accessKeyId: 'test-key-id', secretAccessKey: 'test-secret-access-key' }
  const short = { deadlineMs: 300, attemptMs: 100, connectMs: 100 }

  const sendOnce = async (bucket, act) => {
    await mkdir(out, { recursive: true })
    const layout = createLayout({ out, root: 'foigoi', version: 'v1' })
    const lock = await acquireLock(layout.state.lockPath)
    const ledger = await openLedger(layout.state.ledgerPath)
    const timeouts = bucket === 'slow' ? short : {}
    const storage = createS3Storage({ bucket, endpoint, credentials, concurrency: 8, timeouts })
    const controller = new AbortController()
    const options = { storage, ledger, prefix: layout.prefix, emit: () => {}, signal: controller.signal }
    if (bucket === 'slow') options.stallMs = 400
    const uploader = createUploader(options)
    for (let i = 0; i < 6; i++) {
      const writer = await createVariantWriter({ out, folder: layout.variantFolder('dawn', 'v' + i) })
      for (let step = 1; step <= 4; step++) await writer.writeStep(step, Buffer.alloc(2000, step))
      await writer.writeFinal(Buffer.alloc(2000, 9))
      const files = await writer.finish(null)
      if (act === 'altered') await writeFile(join(writer.folder, '2.png'), 'other')
      void uploader.add({ key: layout.variantKey('dawn', 'v' + i), folder: writer.folder, files })
    }
    if (act === 'abort') setTimeout(() => controller.abort(), 5)
    const { uploaded, failures, pending } = await uploader.drain(act === 'deadline' ? { deadlineMs: 50 } : {})
    await storage.close()
    await ledger.close()
    await lock.release()
    await rm(out, { recursive: true })
    return { uploaded, failed: failures.length, pending }
  }
  const descriptors = async () => {
    global.gc()
    // Sockets that were destroyed are gone after the next turns of the loop.
    await new Promise((resolve) => setTimeout(resolve, 50))
    return (await readdir('/proc/self/fd')).length
  }

  const ways = [['good'], ['good', 'abort'], ['good', 'altered'], ['missing'], ['slow', 'deadline'], ['slow']]
  const counts = []
  const totals = {}
  for (let round = 0; round < Number(rounds); round++) {
    for (const [bucket, act] of ways) {
      const { uploaded, failed, pending } = await sendOnce(bucket, act)
      const name = bucket + (act ? ' ' + act : '')
      const sum = (totals[name] ??= { uploaded: 0, failed: 0, pending: 0 })
      sum.uploaded += uploaded
      sum.failed += failed
      sum.pending += pending
    }
    counts.push(await descriptors())
  }
  console.log(JSON.stringify({ counts, totals, warnings }))
`

export interface DescriptorResult {
  /** Descriptors that are open after each round. */
  readonly counts: readonly number[]
  /** By way of sending. */
  readonly totals: Readonly<Record<string, { uploaded: number; failed: number; pending: number }>>
  /** What Node warned of, such as files closed by the garbage collector. */
  readonly warnings: readonly string[]
}

/** @param endpoint a store with a bucket `good`, none `missing`, and one `slow` that does not answer */
export async function countDescriptors(
  folder: string,
  endpoint: string,
  rounds: number,
): Promise<DescriptorResult> {
  const source = await compileSource(['artifacts', 'images', 'storage'])
  try {
    const end = await source.start(SENDER, [folder, endpoint, String(rounds)]).ended
    if (end.code !== 0) throw new Error(`the sender failed: ${end.stderr}`)
    const result: DescriptorResult = JSON.parse(end.stdout)
    return result
  } finally {
    await source.remove()
  }
}
