/**
 * Everything that is to be known of pregen on a GPU, in the order of worth, within ten minutes. Each part has a time of its
 * own; one that fails or takes too long is told, and the next goes on. Results are written as they come: gpu.json, and
 * gpu.md with the tables of docs/performance.md. `bench/gpu.sh --help` tells the options.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { comparePictures, figuresOf } from './gpu-figures.mjs'
import { toMarkdown } from './gpu-table.mjs'

const HELP = `bench/gpu.sh [options]      a built checkout (npm ci && npm run build), and pregen providers install cuda
  --provider NAME   cuda (default), webgpu, dml, coreml or cpu
  --models DIR      fp16 exports sd15-fp16 (or sd15) and sdxl-fp16 (or sdxl); default bench/build/models. One that is missing is made by
                    bench/make_real.py, where PATH below has bench/requirements.txt: better before, as it takes minutes
  --out DIR         where gpu.json and gpu.md go (default bench/build/gpu)
  --seconds N       for all of it (default 600)
  --python PATH     a Python with onnxruntime-gpu, to compare with (default python3)
  --rehearse        everything on the CPU with the tiny models of the tests, so that nothing can fail for a silly reason`

const { values } = parseArgs({
  options: {
    provider: { type: 'string' },
    models: { type: 'string' },
    out: { type: 'string' },
    seconds: { type: 'string', default: '600' },
    python: { type: 'string', default: 'python3' },
    rehearse: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit()
}
const root = resolve(import.meta.dirname, '..')
const { rehearse, python } = values
const provider = values.provider ?? (rehearse ? 'cpu' : 'cuda')
const out = resolve(values.out ?? join(root, 'bench/build/gpu'))
const models = resolve(values.models ?? join(root, 'bench/build/models'))
const deadline = performance.now() + 1000 * Number(values.seconds)
const tiny = (name) => join(root, 'test/fixtures/oracle/models', `${name}-tiny`)
/** As bench/make_real.py or bench/real.mjs made it, or by the family's name alone. */
function modelOf(family) {
  const [made, plain] = [`${family}-fp16`, family].map((name) => join(models, name))
  return isModel(made) || !isModel(plain) ? made : plain
}
const isModel = (path) => existsSync(join(path, 'model_index.json'))
const REAL = rehearse
  ? [
      { name: 'sd15', path: tiny('sd15'), side: 64 },
      { name: 'sdxl', path: tiny('sdxl'), side: 64 },
    ]
  : [
      { name: 'sd15', path: modelOf('sd15'), side: 512 },
      { name: 'sdxl', path: modelOf('sdxl'), side: 1024 },
    ]
const steps = rehearse ? 3 : 20
mkdirSync(out, { recursive: true })

const results = { started: new Date().toISOString(), provider, rehearse, node: process.version, parts: [] }

function save() {
  writeFileSync(join(out, 'gpu.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(out, 'gpu.md'), toMarkdown(results))
}

const secondsLeft = () => (deadline - performance.now()) / 1000

/** The end of the part that is under way, on the clock of `performance.now`. */
let partEnd = 0

/** Runs one part. @param seconds of its own @param work returns its figures */
async function part(title, seconds, work) {
  if (secondsLeft() < 5) {
    results.parts.push({ title, skipped: 'no time left' })
    return save()
  }
  const started = performance.now()
  partEnd = Math.min(started + 1000 * seconds, deadline)
  const entry = { title }
  results.parts.push(entry)
  try {
    Object.assign(entry, await work())
  } catch (error) {
    entry.failed = error instanceof Error ? error.message : String(error)
  }
  entry.tookSeconds = Math.round((performance.now() - started) / 100) / 10
  console.log(`${title}: ${entry.failed ?? 'done'} (${entry.tookSeconds} s)`)
  save()
}

/** A command within the part's time; its children go with it. @throws Error with the last line that it said */
function command(file, args, { env = {} } = {}) {
  return new Promise((fulfil, reject) => {
    const child = spawn(file, args, { cwd: root, env: { ...process.env, ...env }, detached: true })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const stop = (signal) => {
      try {
        process.kill(-child.pid, signal)
      } catch (error) {
        // It has ended by itself in this moment.
        if (error.code !== 'ESRCH') throw error
      }
    }
    let isLate = false
    const late = setTimeout(
      () => {
        isLate = true
        stop('SIGTERM')
      },
      Math.max(0, partEnd - performance.now()),
    )
    const dead = setTimeout(() => stop('SIGKILL'), Math.max(0, partEnd - performance.now()) + 8000)
    const end = () => {
      clearTimeout(late)
      clearTimeout(dead)
    }
    child.on('error', (error) => {
      end()
      reject(error)
    })
    child.on('close', (code) => {
      end()
      if (code === 0) return fulfil({ stdout, stderr })
      const said = stderr.trim().split('\n').slice(-3).join(' / ')
      reject(
        Object.assign(new Error(isLate ? `out of time; ${said}` : `exit code ${code}: ${said}`), { stdout }),
      )
    })
  })
}

const pregen = (args, options) => command(process.execPath, [join(root, 'bin/pregen.js'), ...args], options)

const eventsOf = (text) =>
  text.split('\n').flatMap((line) => {
    // A run that was ended may leave half a line.
    if (!line.startsWith('{') || !line.endsWith('}')) return []
    return [JSON.parse(line)]
  })

/** Draws a sheet into a folder of its own. @returns figures, also of a run that was cut off */
async function run(name, sheet, on, { args = [], ...options } = {}) {
  const folder = join(out, name)
  rmSync(folder, { recursive: true, force: true })
  const words = ['run', sheet, '--out', folder, '--provider', on, '--format', 'ndjson', ...args]
  try {
    const { stdout } = await pregen(words, options)
    return figuresOf(eventsOf(stdout))
  } catch (error) {
    const events = eventsOf(error.stdout ?? '')
    // What it drew until then is worth keeping.
    return { ...(events.length > 0 ? figuresOf(events) : {}), failed: error.message }
  }
}

function sheetOf(name, { path, side, pictures, batch = 1, previews = { method: 'latent2rgb' }, storage }) {
  const file = join(out, `${name}.yaml`)
  const sheet = {
    version: 'gpu',
    ...(storage ? { storage } : {}),
    models: { m: path },
    defaults: { model: 'm', width: side, height: side, steps, batch },
    programs: { P1: { previews } },
    cues: {
      hill: {
        program: 'P1',
        prompt: 'a hill at dawn',
        seeds: Array.from({ length: pictures }, (_, seed) => seed),
      },
    },
  }
  writeFileSync(file, JSON.stringify(sheet))
  return file
}

/** A bucket on the loopback interface, while `work` lasts. */
async function withBucket(work) {
  const server = spawn(process.execPath, [join(root, 'bench/s3-sink.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const port = await new Promise((fulfil, reject) => {
      server.stdout.once('data', (chunk) => fulfil(Number(String(chunk).trim())))
      server.once('error', reject)
      server.once('exit', () => reject(new Error('the bucket did not start')))
    })
    return await work({ bucket: 'bench', endpoint: `http://127.0.0.1:${port}`, region: 'auto' })
  } finally {
    server.kill()
  }
}

const KEYS = { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench', PREGEN_ALLOW_LOCAL_ENDPOINT: '1' }

async function real({ name, path, side }, on) {
  return await withBucket(async (storage) => {
    const sheet = sheetOf(`${name}-${on}`, { path, side, pictures: 3, storage })
    return await run(`${name}-on-${on}`, sheet, on, { env: KEYS })
  })
}

async function inPython({ path, side }) {
  const script = join(root, 'bench/ort_steps.py')
  const args = [script, path, provider, '--latent', String(side / 8), '--calls', rehearse ? '5' : '20']
  const { stdout } = await command(python, args, { env: { NVIDIA_TF32_OVERRIDE: '0' } })
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

async function inBatches(batch, on, where = '') {
  const pictures = batch === 'auto' ? 16 : 8
  const sheet = sheetOf(`batch-${batch}`, { ...batched, pictures, previews: false })
  const args = ['--dry-run', '--batch', String(batch)]
  await part(`${batched.name}, batch ${batch}${where}`, 60, () => run(`batch-${batch}`, sheet, on, { args }))
}

async function make(family, path) {
  const script = join(root, 'bench/make_real.py')
  await command(python, [script, path, '--family', family, '--dtype', 'fp16', '--device', 'cuda'])
  return {}
}

const demo = rehearse
  ? sheetOf('demo', { path: join(root, 'models/backdrop'), side: 64, pictures: 3 })
  : join(root, 'cues/demo.yaml')

await part('card', 15, async () => {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
  const { stdout, error } = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 10_000 })
  const cards = error ? [] : stdout.trim().split('\n')
  return { cards, processor: cpus()[0]?.model, cores: cpus().length }
})
await part('doctor', 60, async () => {
  const { stdout } = await pregen(['doctor', '--json'])
  const providers = JSON.parse(stdout).filter(({ area }) => area === 'provider')
  const own = providers.find(({ name }) => name === provider)
  if (!own?.works) throw new Error(`${provider}: ${own?.detail} ${own?.help}`)
  return { providers: providers.map(({ name, works, detail }) => ({ name, works, detail })) }
})
await part(`demo on ${provider}`, 90, () =>
  run(`demo-on-${provider}`, demo, provider, { args: ['--dry-run'] }),
)
await part('demo on the CPU', 150, () => run('demo-on-reference', demo, 'cpu', { args: ['--dry-run'] }))
await part(`pictures of ${provider} against the CPU`, 15, () =>
  comparePictures(join(out, `demo-on-${provider}/foigoi`), join(out, 'demo-on-reference/foigoi')),
)
for (const model of REAL) {
  const { name, path, side } = model
  if (!isModel(path)) await part(`making ${name}`, 200, () => make(name, path))
  if (!isModel(path)) continue
  await part(`${name} at ${side}, previews and uploads on`, 120, () => real(model, provider))
  if (provider === 'cuda' || provider === 'cpu')
    await part(`${name} at ${side}, onnxruntime in Python`, 60, () => inPython(model))
}
const batched = REAL.find(({ path }) => isModel(path))
const BATCHES = batched ? [1, 2, 4, 8, 'auto'] : []
for (const batch of BATCHES) await inBatches(batch, provider)
const devices = provider === 'cuda' ? 'all' : '0,1'
await part(`demo on --devices ${devices}`, 60, async () => {
  const name = 'demo-on-devices'
  const figures = await run(name, demo, provider, { args: ['--dry-run', '--devices', devices] })
  return {
    ...figures,
    ...(await comparePictures(join(out, name, 'foigoi'), join(out, `demo-on-${provider}/foigoi`))),
  }
})
if (provider === 'cuda' || rehearse) {
  const other = rehearse ? 'cpu' : 'webgpu'
  await part('demo over WebGPU', 90, () => run('demo-on-other', demo, other, { args: ['--dry-run'] }))
  await part('pictures of WebGPU against the CPU', 15, () =>
    comparePictures(join(out, 'demo-on-other/foigoi'), join(out, 'demo-on-reference/foigoi')),
  )
  for (const model of REAL) {
    if (isModel(model.path)) await part(`${model.name} over WebGPU`, 120, () => real(model, other))
  }
  for (const batch of BATCHES) await inBatches(batch, other, ' over WebGPU')
}
results.ended = new Date().toISOString()
save()
console.log(`\n${readFileSync(join(out, 'gpu.md'), 'utf8')}\n${readdirSync(out).length} entries in ${out}`)
const failed = results.parts.filter((entry) => entry.failed !== undefined || entry.failedUnits > 0)
process.exitCode = rehearse && failed.length > 0 ? 1 : 0
