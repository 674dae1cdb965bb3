// Runs every golden case against the reference's answers and writes docs/parity.md: npm run parity
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FAMILIES as families } from '../dist/modules/families/index.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs')
const folder = mkdtempSync(join(tmpdir(), 'parity-'))

const NEWER = [
  'test/pipelines/inpainting.test.ts',
  ...['chroma', 'flux2', 'zimage', 'qwenimage', 'half-precision'].map(
    (name) => `test/families/${name}.test.ts`,
  ),
]
const FAMILIES = Object.fromEntries(families.map(({ name, title }) => [name, title]))
const TASKS = {
  txt2img: 'text to image',
  img2img: 'image to image',
  inpaint: 'inpainting',
  edit: 'reference pictures',
}

try {
  const args = [vitest, 'run', 'test/pipelines/oracle.test.ts', 'test/pipelines/extra.test.ts', ...NEWER]
  // Of these files the tests of pictures alone: the page says whether those are within the tolerances.
  args.push('-t', 'the reference’s picture|is diffusers’')
  const env = { ...process.env, PREGEN_PARITY_RECORDS: folder }
  const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  const records = readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
  writeFileSync(join(root, 'docs', 'parity.md'), page(records, status === 0))
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function page(records, passed) {
  const { version } = require('onnxruntime-node/package.json')
  const pictures = records.length
  return `${readFileSync(join(root, 'scripts', 'parity-head.md'), 'utf8').trimEnd()}

## Results

${pictures} pictures, ONNX Runtime ${version}, CPU: ${passed ? 'all within the tolerances' : '**some are outside the tolerances**'}.
"Latents" is the relative RMS difference of the final latents; "pixels" the largest difference of a channel value in
levels of 255, and the share of values that differ at all. Each row gives the worst of its cases. Where no latents stand, the
pictures were drawn through the command line; their latents after every step are held within 1e-3 beside it.

${table(records)}

${readFileSync(join(root, 'scripts', 'parity-tail.md'), 'utf8').trimEnd()}
`
}

function table(records) {
  const groups = new Map()
  for (const record of records) {
    const half = /fp16|mixed/.test(record.model)
    const scheduler = record.scheduler.replace(/(Discrete)?Scheduler$/, '')
    const key = [FAMILIES[record.family], scheduler, TASKS[record.task], half ? 'fp16' : 'fp32'].join(' | ')
    groups.set(key, [...(groups.get(key) ?? []), record])
  }
  const rows = [...groups].map(([key, group]) => {
    const worst = (pick) => Math.max(...group.map(pick))
    const rms = worst(({ rms }) => rms)
    const level = worst(({ pixels }) => pixels.worst)
    const share = worst(({ pixels }) => pixels.differing)
    const settings = [
      ...new Set(group.flatMap(({ overrides }) => Object.entries(overrides).map(setting))),
    ].sort()
    const shown = settings.length === 0 ? '–' : settings.join(', ')
    return `| ${key} | ${group.length} | ${group.some((record) => record.rms === null) ? '–' : rms.toExponential(1)} | ${level} | ${(100 * share).toFixed(2)} % | ${shown} |`
  })
  const order = Object.values(FAMILIES)
  const family = (row) => order.findIndex((name) => row.startsWith(`| ${name} |`))
  rows.sort((left, right) => family(left) - family(right) || (left < right ? -1 : 1))
  return [
    '| Family | Scheduler | Task | Type | Pictures | Latents | Pixels | Differing | Settings tried beside the default |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function setting([key, value]) {
  return value === true ? `\`${key}\`` : `\`${key}: ${value}\``
}
