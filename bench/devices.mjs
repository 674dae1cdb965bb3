/**
 * Two CPU workers of one thread each against one worker of two: pictures a minute from the first that is begun to the
 * last that is whole, in turn, and their ratio. The pictures must be the same to the byte.
 *
 *     npm run build && node bench/devices.mjs [--model DIR] [--size 128] [--steps 20] [--pictures 12] [--rounds 3]
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: join(root, 'models/backdrop') },
    size: { type: 'string', default: '128' },
    steps: { type: 'string', default: '20' },
    pictures: { type: 'string', default: '12' },
    rounds: { type: 'string', default: '3' },
  },
})
const seeds = Array.from({ length: Number(values.pictures) }, (_, seed) => seed)
const folder = mkdtempSync(join(tmpdir(), 'pregen-devices-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const sheet = join(folder, 'sheet.yaml')
const side = Number(values.size)
writeFileSync(
  sheet,
  JSON.stringify({
    version: 'bench',
    models: { m: resolve(values.model) },
    defaults: { model: 'm', width: side, height: side, steps: Number(values.steps) },
    programs: { P1: { previews: { method: 'latent2rgb' } } },
    cues: { hill: { program: 'P1', prompt: 'a hill at dawn', seeds } },
  }),
)

const WAYS = {
  'one worker, two threads': ['--threads', '2'],
  'two workers, one thread each': ['--devices', '0,1', '--threads', '1'],
}

/** @returns pictures a minute, and a hash over all pictures */
async function draw(args) {
  const out = mkdtempSync(join(folder, 'out-'))
  const command = [join(root, 'bin/pregen.js'), 'run', sheet, '--out', out, '--dry-run', '--provider', 'cpu']
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...command, '--format', 'ndjson', ...args],
    {
      maxBuffer: 2 ** 28,
    },
  )
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const timesOf = (wanted) => events.filter(({ type }) => type === wanted).map(({ time }) => Date.parse(time))
  const finished = timesOf('unit-finished')
  if (finished.length !== seeds.length)
    throw new Error(`${finished.length} of ${seeds.length} pictures are whole`)
  const minutes = (Math.max(...finished) - Math.min(...timesOf('unit-started'))) / 60_000
  const hash = createHash('sha256')
  for (const name of readdirSync(out, { recursive: true }).sort()) {
    if (name.endsWith('.png') && !name.startsWith('.')) hash.update(readFileSync(join(out, name)))
  }
  rmSync(out, { recursive: true })
  return { perMinute: finished.length / minutes, hash: hash.digest('hex') }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]
const names = Object.keys(WAYS)
const rates = new Map(names.map((name) => [name, []]))
const hashes = new Set()
for (let round = 0; round < Number(values.rounds); round++) {
  // Each round begins with the other one, so that what grows or wears off hits both.
  for (const name of round % 2 === 0 ? names : [...names].reverse()) {
    const { perMinute, hash } = await draw(WAYS[name])
    rates.get(name).push(perMinute)
    hashes.add(hash)
    console.log(
      `round ${round + 1}, ${name}: ${perMinute.toFixed(1)} pictures a minute (load ${loadavg()[0].toFixed(1)})`,
    )
  }
}
const [one, two] = names.map((name) => rates.get(name))
const ratios = two.map((rate, round) => rate / one[round])
console.log(
  `\n${cpus()[0]?.model}, ${cpus().length} cores; ${side} × ${side}, ${seeds.length} pictures of ${values.steps} steps`,
)
for (const name of names)
  console.log(`${name}: median ${median(rates.get(name)).toFixed(1)} pictures a minute`)
console.log(
  `two ÷ one: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; median ${median(ratios).toFixed(2)}`,
)
console.log(hashes.size === 1 ? 'all pictures are the same, to the byte' : 'THE PICTURES DIFFER')
process.exitCode = hashes.size === 1 ? 0 : 1
