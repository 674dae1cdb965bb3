/**
 * pregen against optimum-onnx: the same pictures of the embedded model, without previews, in turn.
 * `npm run bench:optimum -- --python PATH`; PATH has models/backdrop/training/requirements.txt installed.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from './statistics.ts'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    size: { type: 'string', default: '128' },
    steps: { type: 'string', default: '20' },
    pictures: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
  },
})
const root = resolve(import.meta.dirname, '../../../..')
const [size, steps, pictures, rounds] = [values.size, values.steps, values.pictures, values.rounds].map(
  Number,
)

/** Milliseconds of one process: as a whole, and from the loaded model to the last picture on disk. */
interface Timing {
  readonly processMs: number
  readonly drawMs: number
}

function timed(run: () => string): { text: string; processMs: number } {
  const before = performance.now()
  const text = run()
  return { text, processMs: performance.now() - before }
}

function drawWithPregen(folder: string): Timing {
  const sheet = {
    version: 'bench',
    defaults: { width: size, height: size, steps, guidance_scale: 3 },
    programs: { P0: {} },
    cues: {
      dawn: {
        program: 'P0',
        prompt: 'misty mountains at dawn',
        seeds: Array.from({ length: pictures! }, (_, seed) => seed),
      },
    },
  }
  writeFileSync(join(folder, 'cues.yaml'), JSON.stringify(sheet))
  const args = [join(root, 'bin/pregen.js'), 'run', 'cues.yaml', '--dry-run', '--force', '--format', 'ndjson']
  const { text, processMs } = timed(() =>
    execFileSync(process.execPath, args, {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  const end = JSON.parse(text.trimEnd().split('\n').at(-1)!)
  return { processMs, drawMs: end.wallMs - end.modelLoadMs }
}

function drawWithOptimum(folder: string): Timing {
  const args = [
    join(root, 'bench/draw_with_optimum.py'),
    '--model',
    join(root, 'models/backdrop'),
    '--out',
    folder,
  ]
  const shape = ['--size', `${size}`, '--steps', `${steps}`, '--pictures', `${pictures}`]
  const { text, processMs } = timed(() =>
    execFileSync(values.python, [...args, ...shape], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  return { processMs, drawMs: JSON.parse(text.trimEnd().split('\n').at(-1)!).drawMs }
}

const folder = mkdtempSync(join(tmpdir(), 'pregen-bench-'))
try {
  const ours: Timing[] = []
  const theirs: Timing[] = []
  for (let round = 1; round <= rounds!; round++) {
    process.stderr.write(`round ${round} of ${rounds} …\n`)
    ours.push(drawWithPregen(folder))
    theirs.push(drawWithOptimum(folder))
  }
  const ratio = (of: keyof Timing) => median(theirs.map((timing, round) => timing[of] / ours[round]![of]))
  console.log(
    `${pictures} pictures of ${size} × ${size}, ${steps} steps, models/backdrop, CPU; medians of ${rounds} rounds`,
  )
  console.log(
    `drawing and saving, model loaded: optimum-onnx takes ${ratio('drawMs').toFixed(2)} × pregen's time`,
  )
  console.log(
    `the whole process:                optimum-onnx takes ${ratio('processMs').toFixed(2)} × pregen's time`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
