/**
 * What the tool's own process takes beside 1, 2, 4 and 8 devices: memory at its peak, file handles at their most, and
 * processor time a picture. CPU workers of one thread on the tiny model of the tests, so that nothing but their number
 * differs. Linux.
 *
 *     npm run build && node bench/main-process.mjs [--devices 1,2,4,8] [--pictures 48]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '1,2,4,8' },
    pictures: { type: 'string', default: '48' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'pregen-main-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const pictures = Number(values.pictures)
const sheet = join(folder, 'sheet.yaml')
writeFileSync(
  sheet,
  JSON.stringify({
    version: 'bench',
    models: { m: join(root, 'test/fixtures/oracle/models/sd15-tiny') },
    defaults: { model: 'm', width: 64, height: 64, steps: 4 },
    programs: { P1: { previews: { method: 'latent2rgb' } } },
    cues: {
      hill: { program: 'P1', prompt: 'a hill', seeds: Array.from({ length: pictures }, (_, seed) => seed) },
    },
  }),
)

/** MiB. */
function memoryOf(pid, name) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`))
  return Number(line?.split(/\s+/)[1]) / 1024
}

/** Seconds. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** What the process took until it was seen last. */
async function measure(devices) {
  const ids = Array.from({ length: devices }, (_, id) => id).join(',')
  const words = ['run', sheet, '--out', join(folder, `out-${devices}`), '--dry-run', '--provider', 'cpu']
  const child = spawn(
    process.execPath,
    [join(root, 'bin/pregen.js'), ...words, '--threads', '1', '--devices', ids],
    { stdio: 'ignore' },
  )
  const figures = { devices, peakMib: 0, handles: 0, cpuSeconds: 0, children: 0 }
  const look = () => {
    try {
      figures.peakMib = Math.max(figures.peakMib, memoryOf(child.pid, 'VmHWM'))
      figures.cpuSeconds = cpuOf(child.pid)
      figures.handles = Math.max(figures.handles, readdirSync(`/proc/${child.pid}/fd`).length)
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()
      figures.children = Math.max(figures.children, children === '' ? 0 : children.split(' ').length)
    } catch (error) {
      // It has ended in this moment.
      if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error
    }
  }
  const timer = setInterval(look, 25)
  const [code] = await once(child, 'exit')
  clearInterval(timer)
  if (code !== 0) throw new Error(`${devices} devices: exit code ${code}`)
  return figures
}

console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores; ${pictures} pictures of 4 steps, previews at every step\n`,
)
console.log(
  '| devices | peak, MiB | file handles | processor, ms a picture | load |\n|---:|---:|---:|---:|---:|',
)
for (const devices of values.devices.split(',').map(Number)) {
  const { peakMib, handles, cpuSeconds, children } = await measure(devices)
  if (children < devices) throw new Error(`${children} processes were seen of ${devices}`)
  const row = [
    devices,
    Math.round(peakMib),
    handles,
    Math.round((1000 * cpuSeconds) / pictures),
    loadavg()[0].toFixed(1),
  ]
  console.log(`| ${row.join(' | ')} |`)
}
