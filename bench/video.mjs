/**
 * What pregen itself costs a video: (wall - load) over the time inside session.run, with previews and encoding on, on the tiny Wan
 * of the tests at a size whose steps take 200 ms and more. node bench/video.mjs [--rounds 3] [--size 320] [--frames 33] [--steps 50] [--threads 1]
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    size: { type: 'string', default: '320' },
    frames: { type: 'string', default: '33' },
    steps: { type: 'string', default: '50' },
    threads: { type: 'string', default: '1' },
  },
})
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const scratch = mkdtempSync(join(tmpdir(), 'pregen-video-'))
try {
  const archive = join(root, 'test/fixtures/families/wan-tiny.tar.xz')
  const { status } = spawnSync('tar', ['-xJf', archive, '-C', scratch])
  if (status !== 0) throw new Error(`${archive} cannot be unpacked`)
  const sheet = join(scratch, 'sheet.json')
  const [size, frames, steps] = [values.size, values.frames, values.steps].map(Number)
  const cue = { program: 'P1', prompt: 'a fox in the snow', seeds: [1, 2], width: size, height: size }
  writeFileSync(
    sheet,
    JSON.stringify({
      version: 'bench',
      models: { wan: join(scratch, 'models/wan-t2v-tiny') },
      programs: { P1: { previews: { frames: 'all' }, thumbnail: true } },
      cues: { fox: { ...cue, num_frames: frames, steps } },
    }),
  )
  const rounds = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    const words = ['run', sheet, '--out', join(scratch, `out-${round}`), '--dry-run', '--format', 'ndjson']
    const args = [join(root, 'bin/pregen.js'), ...words, '--provider', 'cpu', '--threads', values.threads]
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
    if (run.status !== 0) throw new Error(run.stderr)
    const events = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const { wallMs, modelLoadMs, sessionRunMs } = events.at(-1)
    const stepsMs = events.filter(({ type }) => type === 'step').map((event) => event.durationMs)
    const started = Date.parse(events.find(({ type }) => type === 'unit-started').time)
    const ended = Date.parse(events.at(-1).time)
    const median = stepsMs.sort((a, b) => a - b)[stepsMs.length >> 1]
    const ratio = (wallMs - modelLoadMs) / sessionRunMs
    rounds.push(ratio)
    const times = {
      wallMs,
      modelLoadMs,
      sessionRunMs,
      medianStepMs: median,
      firstUnitToEndMs: ended - started,
    }
    console.log(
      `round ${round}: ${ratio.toFixed(3)}`,
      JSON.stringify(times),
      `load ${loadavg()[0].toFixed(1)}`,
    )
  }
  console.log(`best of ${rounds.length}: ${Math.min(...rounds).toFixed(3)}`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
