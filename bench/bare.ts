/**
 * ONNX Runtime alone on the bench's model: the same sessions, shapes and number of calls as a run, and nothing
 * else. Prints {stepMs, peakRssBytes} as JSON. What a run takes beyond this is pregen's.
 *
 * node bare.js MODEL WIDTH HEIGHT STEPS [THREADS]
 */
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { median } from './statistics.ts'

const [model = '', width = '', height = '', steps = '', threads] = process.argv.slice(2)
const options: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
  ...(threads === undefined ? {} : { intraOpNumThreads: Number(threads) }),
}
const open = (component: string) => InferenceSession.create(join(model, component, 'model.onnx'), options)

// 1. The prompt, and its encoder away again.
const textEncoder = await open('text_encoder')
const ids = new Tensor('int64', new BigInt64Array(2 * 77), [2, 77])
const { last_hidden_state: embeds } = await textEncoder.run({ input_ids: ids }, ['last_hidden_state'])
if (!embeds) throw new Error('the text encoder gave no last_hidden_state')
await textEncoder.release()

// 2. The steps.
const unet = await open('unet')
const vae = await open('vae_decoder')
const size = [Number(height) / 8, Number(width) / 8] as const
const noise = (batch: number) =>
  new Tensor(
    'float32',
    Float32Array.from({ length: batch * 4 * size[0] * size[1] }, (_, i) => Math.sin(i)),
    [batch, 4, ...size],
  )
const durations: number[] = []
for (let step = 0; step < Number(steps); step++) {
  const timestep = new Tensor('float32', Float32Array.of(999 - step), [])
  const start = performance.now()
  await unet.run({ sample: noise(2), timestep, encoder_hidden_states: embeds })
  durations.push(performance.now() - start)
}

// 3. The picture.
await vae.run({ latent_sample: noise(1) })
await Promise.all([unet.release(), vae.release()])
const { maxRSS } = process.resourceUsage()
console.log(JSON.stringify({ stepMs: median(durations), peakRssBytes: maxRSS * 1024 }))
