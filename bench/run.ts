/**
 * What pregen itself costs: the command line against the time inside `session.run`, with every way of making
 * previews, side by side. `npm run bench -- --help` tells the options; docs/performance.md shows a result.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startBucketServer } from './bucket-server.ts'
import { type Measurement, measureRun } from './measure.ts'
import { PAIRED_EVERY } from './pairs.ts'
import { formatTable, type Row } from './table.ts'

const HELP = `npm run bench -- [options]
  --scale mid|tiny   the random model that is made (default mid: about 1 s a step at 1024 × 1024 on 2 cores)
  --model DIR        measure this model folder instead
  --size N           width and height in pixels (default: 1024 for mid, 128 for tiny and --model)
  --steps N          steps a picture, 8 or more (default 20)
  --pictures N       pictures a run (default 3)
  --row NAME         only this row of the table, and those of further --row options
  --rounds N         times that every row is measured, in turn (default 2)
  --threads N        threads of ONNX Runtime (default: its own choice)
  --python PATH      a Python with bench/requirements.txt installed, to make the model (default python3)`

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: 'mid' },
    model: { type: 'string' },
    size: { type: 'string' },
    steps: { type: 'string', default: '20' },
    pictures: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '2' },
    row: { type: 'string', multiple: true },
    threads: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit()
}

const root = resolve(import.meta.dirname, '../../../..')
const bench = join(root, 'bench')
const model = values.model === undefined ? makeModel() : resolve(values.model)
const size = Number(values.size ?? (values.model === undefined && values.scale === 'mid' ? 1024 : 128))
const [steps, pictures, rounds] = [Number(values.steps), Number(values.pictures), Number(values.rounds)]
const threads = values.threads === undefined ? undefined : Number(values.threads)
const hasPreviewDecoder = existsSync(join(model, 'preview_decoder', 'model.onnx'))

const OFF = 'off'

/** What `previews:` holds beside `every`, row by row. */
const ALL_METHODS: ReadonlyMap<string, string> = new Map([
  [OFF, ''],
  ['latent2rgb', 'method: latent2rgb, size: latent'],
  ['latent2rgb, full size', 'method: latent2rgb, size: image'],
  ...(hasPreviewDecoder ? [['taesd', 'method: taesd'] as const] : []),
  ['full', 'method: full'],
])

const METHODS = new Map(
  [...ALL_METHODS].filter(([title]) => values.row === undefined || values.row.includes(title)),
)
if (METHODS.size === 0) throw new Error(`--row names one of: ${[...ALL_METHODS.keys()].join('; ')}`)

const work = mkdtempSync(join(tmpdir(), 'pregen-bench-'))
const bucket = await startBucketServer()
try {
  const measured = new Map<string, Measurement[]>([...METHODS.keys()].map((title) => [title, []]))
  const paired = new Map<string, Measurement[]>([...METHODS.keys()].map((title) => [title, []]))
  for (let round = 0; round < rounds; round++) {
    // Every round begins with another row, so that none always runs on the coolest machine.
    const titles = [...METHODS.keys()]
    for (let i = 0; i < titles.length; i++) {
      const title = titles[(i + round) % titles.length]!
      process.stderr.write(`round ${round + 1} of ${rounds}: ${title} …\n`)
      measured.get(title)?.push(await measure(title, round, 1))
      if (title !== OFF) paired.get(title)?.push(await measure(title, round, PAIRED_EVERY))
    }
  }
  report(measured, paired)
} finally {
  await bucket.close()
  rmSync(work, { recursive: true, force: true })
}

/** Makes the random model, unless an earlier bench has. */
function makeModel(): string {
  const folder = join(bench, 'build', values.scale)
  if (!existsSync(join(folder, 'model_index.json'))) {
    process.stderr.write(`making the ${values.scale} model …\n`)
    mkdirSync(folder, { recursive: true })
    const script = join(bench, 'make_model.py')
    execFileSync(values.python, ['-W', 'ignore', script, folder, '--scale', values.scale], {
      stdio: ['ignore', 2, 2],
    })
  }
  return folder
}

/** @param every which steps have a preview */
async function measure(title: string, round: number, every: number): Promise<Measurement> {
  const name = `${title.replaceAll(/[^a-z0-9]+/g, '-')}-${round}-${every}`
  const previews = title === OFF ? 'false' : `{ ${METHODS.get(title)}, every: ${every} }`
  const sheet = join(work, `${name}.yaml`)
  const seeds = Array.from({ length: pictures }, (_, i) => i + 1)
  writeFileSync(
    sheet,
    `version: ${name}
models:
  bench: ${JSON.stringify(model)}
defaults: { model: bench, width: ${size}, height: ${size}, steps: ${steps}, guidance_scale: 4.5 }
programs:
  P1: { previews: ${previews} }
cues:
  mountains: { program: P1, prompt: misty mountains at dawn, seeds: [${seeds.join(', ')}] }
storage: { bucket: bench, endpoint: "${bucket.endpoint}", region: auto }
`,
  )
  const measurement = await measureRun({
    launcher: join(root, 'bin', 'pregen.js'),
    sheet,
    out: join(work, name),
    threads,
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' },
  })
  const landed = bucket.count(`/${name}/`).objects
  // The pictures, and the steps and timings of those that have previews.
  const expected = pictures * (title === OFF ? 1 : Math.ceil(steps / every) + 2)
  if (measurement.previewsFailed > 0 || landed < expected) {
    throw new Error(
      `${title}: ${measurement.previewsFailed} previews failed, ${landed} of ${expected} objects landed`,
    )
  }
  rmSync(join(work, name), { recursive: true })
  return measurement
}

type Rounds = ReadonlyMap<string, readonly Measurement[]>

function report(measured: Rounds, paired: Rounds): void {
  const off = measured.get(OFF) ?? []
  const rows: Row[] = [...measured].map(([title, runs]) => ({
    title,
    rounds: runs,
    off: title === OFF ? [] : off,
    paired: paired.get(title) ?? [],
    weightBytes: weightBytes(title === 'taesd'),
  }))
  const [processor] = cpus()
  console.log(`${new Date().toISOString().slice(0, 10)}, ${processor?.model.trim()}, ${cpus().length} cores, \
${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}-${process.arch}, Node ${process.versions.node}, CPU provider. \
${size} × ${size}, ${pictures} pictures of ${steps} steps a run, median of ${rounds} rounds; disk and uploads on.\n`)
  console.log(formatTable(rows))
  const bare = measureBare()
  if (bare !== null) {
    const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(0)
    console.log(`\nONNX Runtime alone in its default settings, the same calls: ${bare.stepMs.toFixed(0)} ms a step, \
peak ${mib(bare.peakRssBytes - weightBytes(false))} MiB over the weights (${mib(weightBytes(false))} MiB).`)
  }
}

/** Weights held while a picture is drawn: the text encoders are freed before. */
function weightBytes(withPreviewDecoder: boolean): number {
  const components = [
    'unet',
    'transformer',
    'vae_decoder',
    ...(withPreviewDecoder ? ['preview_decoder'] : []),
  ]
  return components
    .flatMap((component) => ['model.onnx', 'model.onnx_data'].map((file) => join(model, component, file)))
    .reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
}

/** bare.ts knows the model that make_model.py makes; null for any other. */
function measureBare(): { stepMs: number; peakRssBytes: number } | null {
  if (values.model !== undefined) return null
  const script = join(import.meta.dirname, 'bare.js')
  const sizes = [size, size, Math.max(steps, 3), ...(threads === undefined ? [] : [threads])].map(String)
  return JSON.parse(execFileSync(process.execPath, [script, model, ...sizes], { encoding: 'utf8' }))
}
