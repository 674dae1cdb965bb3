/** Promise 18: memory stays flat, however many objects are sent. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { compileSource } from '../support/child.ts'

const SENDER = `
  import { mkdir } from 'node:fs/promises'
  import { createLayout } from './src/artifacts/layout.js'
  import { openLedger } from './src/artifacts/ledger.js'
  import { createVariantWriter } from './src/artifacts/variant-writer.js'
  import { createS3Storage } from './src/storage/s3.js'
  import { createUploader } from './src/storage/uploader.js'

  const [out, endpoint, objects, warmUp] = process.argv.slice(2)
  const layout = createLayout({ out, root: 'foigoi', version: 'v1' })
  await mkdir(out, { recursive: true })
  const ledger = await openLedger(layout.state.ledgerPath)
  // One folder of twenty files, sent under ever new keys: the disk is not what is measured.
  const writer = await createVariantWriter({ out, folder: layout.variantFolder('cue', 'one') })
  for (let step = 1; step < 20; step++) await writer.writeStep(step, Buffer.alloc(50_000, step))
  await writer.writeFinal(Buffer.alloc(50_000, 99))
  const files = await writer.finish(null)
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
  const storage = createS3Storage({ bucket: 'b', endpoint, credentials, concurrency: 16 })
  const uploader = createUploader({ storage, ledger, prefix: layout.prefix, emit: () => {} })
  const sendTo = async (count) => {
    while (uploader.progress().uploaded < count) {
      const batch = []
      for (let i = 0; i < 16; i++) {
        const key = layout.variantKey('cue', 'v-' + uploader.progress().uploaded + '-' + i)
        batch.push(uploader.add({ key, folder: writer.folder, files }))
      }
      await Promise.all(batch)
    }
  }
  const rss = () => {
    global.gc()
    return process.memoryUsage.rss()
  }
  await sendTo(Number(warmUp))
  const before = rss()
  let peak = before
  const watch = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, 50)
  await sendTo(Number(warmUp) + Number(objects))
  clearInterval(watch)
  const after = rss()
  const { failures, uploaded } = await uploader.drain()
  await storage.close()
  await ledger.close()
  console.log(JSON.stringify({ grown: after - before, peak: peak - before, uploaded, failures: failures.length }))
`

export interface MemoryResult {
  /** Resident bytes after the measured objects, less those before them; both after a collection. */
  readonly grownBytes: number
  readonly uploaded: number
}

/** @param objects sent after a warm-up, in a process of their own, to a server in another */
export async function measureMemory(folder: string, objects: number, warmUp: number): Promise<MemoryResult> {
  const sinkPath = fileURLToPath(new URL('../../bench/s3-sink.mjs', import.meta.url))
  const sink = spawn(process.execPath, [sinkPath], { stdio: ['ignore', 'pipe', 'inherit'] })
  const source = await compileSource(['artifacts', 'images', 'storage'])
  try {
    const port = await new Promise<string>((resolve) =>
      sink.stdout.once('data', (text) => resolve(String(text).trim())),
    )
    const argv = [folder, `http://127.0.0.1:${port}`, String(objects), String(warmUp)]
    const end = await source.start(SENDER, argv).ended
    if (end.code !== 0) throw new Error(`the sender failed: ${end.stderr}`)
    const result: unknown = JSON.parse(end.stdout)
    if (
      typeof result !== 'object' ||
      result === null ||
      !('grown' in result) ||
      typeof result.grown !== 'number' ||
      !('uploaded' in result) ||
      typeof result.uploaded !== 'number' ||
      !('failures' in result) ||
      result.failures !== 0
    ) {
      throw new Error(`the sender said ${end.stdout}`)
    }
    return { grownBytes: result.grown, uploaded: result.uploaded }
  } finally {
    sink.kill()
    await source.remove()
  }
}
