/**
 * What viewers cost a run: the same sheet with `--serve` and viewers, and without, in turn. Both are told by the
 * processor time of the inference process a step, which other work on the machine changes little, and by the steps' own
 * durations. `npm run bench:watched -- --help` tells the options; docs/watching.md shows a result.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { median } from './statistics.ts'

const HELP = `npm run bench:watched -- [options]
  --model DIR        a model folder (default: the embedded model)
  --size N           width and height in pixels (default 128)
  --steps N          steps a picture (default 20)
  --pictures N       pictures a run (default 6)
  --rounds N         pairs of runs (default 3)
  --viewers N        (default 3)`

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    size: { type: 'string', default: '128' },
    steps: { type: 'string', default: '20' },
    pictures: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    viewers: { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit()
}

const root = resolve(import.meta.dirname, '../../../..')
const scratch = mkdtempSync(join(tmpdir(), 'pregen-watched-'))
const sheet = join(scratch, 'sheet.yaml')
writeFileSync(
  sheet,
  JSON.stringify({
    version: 'bench',
    models: { m: resolve(values.model ?? join(root, 'models/backdrop')) },
    defaults: {
      model: 'm',
      width: Number(values.size),
      height: Number(values.size),
      steps: Number(values.steps),
    },
    programs: { P1: { previews: { method: 'latent2rgb' } } },
    cues: {
      a: {
        program: 'P1',
        prompt: 'a hill',
        seeds: Array.from({ length: Number(values.pictures) }, (_, i) => i),
      },
    },
  }),
)

interface Measured {
  readonly stepMs: readonly number[]
  /** Processor time of the inference process, milliseconds a step. */
  readonly workerMs: number
  readonly hash: string
  /** Pictures that viewers got. */
  readonly pictures: number
}

async function run(viewers: number): Promise<Measured> {
  const out = mkdtempSync(join(scratch, 'out-'))
  const words = ['run', sheet, '--dry-run', '--out', out, '--provider', 'cpu', '--format', 'ndjson']
  const serve = viewers === 0 ? [] : ['--serve', '0']
  const child = spawn(process.execPath, [join(root, 'bin/pregen.js'), ...words, ...serve])
  const sockets: WebSocket[] = []
  let pictures = 0
  child.stderr.on('data', (text: Buffer) => {
    const url = /watch at (\S+)/.exec(String(text))?.[1]
    if (url === undefined) return
    const { host, searchParams } = new URL(url)
    const headers = { authorization: `Bearer ${searchParams.get('token')}` }
    for (let viewer = 0; viewer < viewers; viewer++) {
      const socket = new WebSocket(`ws://${host}/api/live`, { headers })
      socket.on('open', () => socket.send('{"type":"visibility","visible":true}'))
      socket.on('error', () => undefined)
      socket.on('message', (_, isBinary) => {
        if (isBinary) pictures += 1
      })
      sockets.push(socket)
    }
  })
  const stepMs: number[] = []
  let ticks = 0
  let first: number | null = null
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line)
    if (event.type !== 'step') continue
    stepMs.push(event.durationMs)
    ticks = ticksOfWorker(child) ?? ticks
    // Loading the model is before the first step.
    first ??= ticks
  }
  for (const socket of sockets) socket.terminate()
  const workerMs = ((ticks - (first ?? 0)) * 10) / Math.max(1, stepMs.length - 1)
  const measured = { stepMs, workerMs, hash: hashOf(out), pictures }
  rmSync(out, { recursive: true })
  return measured
}

/** Hundredths of a second that the busiest child of a run has had; Linux only. */
function ticksOfWorker({ pid }: ChildProcess): number | null {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const ticks = children.filter(Boolean).map((child) => {
    const stat = readFileSync(`/proc/${child}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.length === 0 ? null : Math.max(...ticks)
}

/** Of all pictures of a tree: who watches changes none. */
function hashOf(out: string): string {
  const folder = join(out, 'foigoi')
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.png'),
  )
  const hash = createHash('sha256')
  for (const path of paths.sort()) hash.update(path).update(readFileSync(join(folder, path)))
  return hash.digest('hex')
}

const pairs: { readonly alone: Measured; readonly watched: Measured }[] = []
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    // Each pair the other way round than the one before.
    const isFirst = round % 2 === 0
    const before = await run(isFirst ? 0 : Number(values.viewers))
    const after = await run(isFirst ? Number(values.viewers) : 0)
    const pair = isFirst ? { alone: before, watched: after } : { alone: after, watched: before }
    pairs.push(pair)
    const { alone, watched } = pair
    console.log(
      [
        `pair ${round + 1}: ${alone.stepMs.length} steps each`,
        `worker ${alone.workerMs.toFixed(1)} and ${watched.workerMs.toFixed(1)} ms of processor a step`,
        `step ${median(alone.stepMs)} and ${median(watched.stepMs)} ms`,
        `${watched.pictures} pictures seen`,
        `load ${loadavg()[0]?.toFixed(1)}`,
      ].join(', '),
    )
    if (alone.hash !== watched.hash) throw new Error('the pictures differ')
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
const ratio = (of: (measured: Measured) => number) =>
  median(pairs.map(({ alone, watched }) => of(watched) / of(alone)))
const percent = (share: number) => `${((share - 1) * 100).toFixed(1)} %`
console.log(
  `processor time of the worker a step, watched against alone: ${percent(ratio(({ workerMs }) => workerMs))}`,
)
console.log(`median step, watched against alone: ${percent(ratio(({ stepMs }) => median(stepMs)))}`)
console.log('the same bytes')
