/**
 * What a model of real size takes on the CPU: memory at its peak and after the text encoders, time to load, seconds a
 * step, as it lies there and after `pregen models optimize`; and whether a batch draws what its pictures alone are.
 * The model is made where it is missing (4 to 7 GB of disk, 8 to 14 GB of memory; needs bench/requirements.txt).
 *
 *     npm run build && node bench/real.mjs [--family sd15|sdxl] [--dtype fp32|fp16] [--size 512] [--steps 2]
 *                                          [--models DIR] [--python PYTHON] [--without-optimize]
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createEngine } from '../dist/modules/engine/engine.js'
import { inferenceEnvironment } from '../dist/modules/engine/inference-environment.js'
import { modelFacts } from '../dist/modules/model/facts.js'
import { readModelFolder } from '../dist/modules/model/folder.js'
import { optimizedRoot } from '../dist/modules/model/optimized.js'
import { estimateMemory } from '../dist/modules/plan/memory.js'

const root = resolve(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    family: { type: 'string', default: 'sd15' },
    dtype: { type: 'string' },
    size: { type: 'string', default: '512' },
    steps: { type: 'string', default: '2' },
    models: { type: 'string', default: join(root, 'bench/build/models') },
    python: { type: 'string', default: 'python3' },
    'without-optimize': { type: 'boolean', default: false },
  },
})
const { family, size, steps, models, python } = values
const dtype = values.dtype ?? (family === 'sdxl' ? 'fp16' : 'fp32')
const model = join(resolve(models), `${family}-${dtype}`)
if (!existsSync(join(model, 'model_index.json'))) {
  const script = join(root, 'bench/make_real.py')
  execFileSync(python, [script, model, '--family', family, '--dtype', dtype], { stdio: 'inherit' })
}

const MIB = 2 ** 20
const side = Number(size)
const cacheDir = join(resolve(models), 'cache/pregen')
const env = { ...process.env, XDG_CACHE_HOME: join(resolve(models), 'cache') }
const folder = readModelFolder(model)
const facts = await modelFacts(folder, { cacheDir })

/** The inference process: this one has no other child while it is asked. */
function childPid() {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ')
  const pid = Number(children.at(-1))
  if (!(pid > 0)) throw new Error('no inference process is running')
  return pid
}

/** MiB. @param name VmHWM, VmRSS, RssAnon */
function memoryOf(pid, name) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`))
  return Math.round(Number(line?.split(/\s+/)[1]) / 1024)
}

/** Seconds of processor time. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const jobOf = (unit, changes = {}) => ({
  ...{ unit, promptKey: 'hill', seed: BigInt(unit), rng: 'torch-cpu', width: side, height: side },
  ...{ steps: Number(steps), guidanceScale: 5, scheduler: { name: undefined, config: {} } },
  ...{ initImage: undefined, denoiseStrength: undefined, previews: null, ...changes },
})
const hashOf = ({ image }) => createHash('sha256').update(image.rgb).digest('hex').slice(0, 12)

/** Draws a picture in a process of its own. @param optimized where graphs are kept, or undefined */
async function measure(optimized) {
  const environment = await inferenceEnvironment({ env, cacheDir, providers: new Set(['cpu']) })
  const engine = createEngine(environment)
  try {
    const [device] = engine.devices
    const shape = { path: model, pipeline: undefined, previewDecoder: undefined, provider: 'cpu', threads: 2 }
    const opened = await device.open({ ...shape, optimizedRoot: optimized, spillFolder: cacheDir })
    const pid = childPid()
    const bare = memoryOf(pid, 'VmRSS')
    const request = { prompt: 'a hill at dawn', negativePrompt: 'blurry', promptSyntax: 'plain' }
    const prompts = [{ key: 'hill', request, withNegative: true }]
    const text = await opened.call('encode', { prompts, keepEncoders: false })
    if (text.prompts[0]?.error) throw new Error(text.prompts[0].error.message)
    const afterEncoders = memoryOf(pid, 'VmRSS') - bare
    const peakOfEncoders = memoryOf(pid, 'VmHWM')
    const before = cpuOf(pid)
    const { loadMs } = await opened.call('load-denoiser', { withVaeEncoder: false })
    const loadCpu = cpuOf(pid) - before
    const anonymous = memoryOf(pid, 'RssAnon')
    const drawn = await opened.call('generate', { jobs: [jobOf(1)] })
    const [picture] = drawn.pictures
    const peak = memoryOf(pid, 'VmHWM')
    // Small, so that it takes no time: what matters is the width of the layers.
    const small = { width: 128, height: 128 }
    const alone = []
    for (const unit of [1, 2]) {
      alone.push((await opened.call('generate', { jobs: [jobOf(unit, small)] })).pictures[0])
    }
    const together = (await opened.call('generate', { jobs: [1, 2].map((unit) => jobOf(unit, small)) }))
      .pictures
    const levels = together.map(({ image }, place) =>
      image.rgb.reduce((most, value, at) => Math.max(most, Math.abs(value - alone[place].image.rgb[at])), 0),
    )
    return {
      'encoders: peak, MiB': peakOfEncoders,
      'left after the encoders, MiB': afterEncoders,
      'denoiser and VAE: load, s': (loadMs / 1000).toFixed(1),
      '… processor, s': loadCpu.toFixed(1),
      '… anonymous memory, MiB': anonymous,
      's/step': (picture.stepDurationsMs.at(-1) / 1000).toFixed(1),
      'peak, MiB': peak,
      picture: hashOf(picture),
      'batch of 2 at 128²':
        Math.max(...levels) === 0 ? 'the same bytes' : `${Math.max(...levels)} levels off`,
    }
  } finally {
    await engine.close()
  }
}

const plain = await measure(undefined)
const ways = { 'as it is': plain }
if (!values['without-optimize']) {
  execFileSync(
    process.execPath,
    [join(root, 'bin/pregen.js'), 'models', 'optimize', model, '--provider', 'cpu'],
    {
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  ways.optimized = await measure(optimizedRoot(cacheDir, facts.graphsFingerprint))
  rmSync(join(cacheDir, 'optimized'), { recursive: true, force: true })
}
const picture = { width: side, height: side, batch: 1, guided: true }
const estimate = facts.memory && estimateMemory(facts.memory, picture, 'cpu')
console.log(
  `\n${family} ${dtype} at ${side} × ${side}, ${steps} steps, guidance; ${cpus()[0]?.model}, ${cpus().length} cores, ` +
    `${(totalmem() / 2 ** 30).toFixed(0)} GiB, load ${loadavg()[0].toFixed(1)}\n`,
)
const names = Object.keys(plain)
console.log(
  `| | ${Object.keys(ways).join(' | ')} |\n|---|${Object.keys(ways)
    .map(() => '---:|')
    .join('')}`,
)
for (const name of names)
  console.log(
    `| ${name} | ${Object.values(ways)
      .map((way) => way[name])
      .join(' | ')} |`,
  )
if (estimate) console.log(`\nestimated by doctor and plan: ${Math.round(estimate.peakBytes / MIB)} MiB`)
