/**
 * Whether the memory that decoding a video takes grows with its frames: the peak of a process that decodes 5 frames and of one that
 * decodes 81, over what it had before, on the VAE of the tests' Wan or of another folder.
 * node bench/video-memory.mjs [--size 320] [--folder MODEL]. Exits with 1 above 1.1.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readModelFolder } from '../dist/modules/model/folder.js'
import { createModelSession, createRunMeter } from '../dist/modules/model/session.js'
import { createClipDecoder } from '../dist/modules/pipelines/clip-decoder.js'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '320' },
    frames: { type: 'string' },
    folder: { type: 'string' },
  },
})
const size = Number(values.size)
const MIB = 1024 * 1024

if (values.frames === undefined) compare()
else console.log(JSON.stringify(await decode(values.folder, Number(values.frames))))

function compare() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const scratch = mkdtempSync(join(tmpdir(), 'pregen-video-'))
  try {
    const folder = values.folder ?? unpack(root, scratch)
    const [short, long] = [5, 81].map((frames) => {
      const args = [fileURLToPath(import.meta.url), '--frames', `${frames}`, '--folder', folder]
      const run = spawnSync(process.execPath, [...args, '--size', values.size], { encoding: 'utf8' })
      if (run.status !== 0) throw new Error(run.stderr)
      const found = JSON.parse(run.stdout)
      console.log(`${frames} frames of ${size} × ${size}: ${Math.round(found.peak / MIB)} MiB at the peak`)
      return found
    })
    const ratio = long.peak / short.peak
    console.log(`81 to 5 frames: ${ratio.toFixed(3)}`)
    process.exitCode = ratio > 1.1 ? 1 : 0
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function unpack(root, scratch) {
  const archive = join(root, 'test/fixtures/families/wan-tiny.tar.xz')
  const { status } = spawnSync('tar', ['-xJf', archive, '-C', scratch])
  if (status !== 0) throw new Error(`${archive} cannot be unpacked`)
  return join(scratch, 'models/wan-t2v-tiny')
}

async function decode(folder, frames) {
  const { vae, components } = readModelFolder(folder)
  const load = (label) => {
    const provider = { name: 'cpu', deviceId: 0, reason: '' }
    return createModelSession(components[label].modelPath, {
      provider,
      threads: 1,
      meter: createRunMeter(),
      label,
    })
  }
  const [vaeDecoder, withPast] = [await load('vae_decoder'), await load('vae_decoder_with_past')]
  const latentFrames = (frames - 1) / 4 + 1
  const side = size / vae.scale
  const dims = [1, vae.latentChannels, latentFrames, side, side]
  const latents = Float32Array.from(
    { length: vae.latentChannels * latentFrames * side * side },
    (_, at) => 2 * Math.sin(at * 0.37),
  )
  const parts = { vae_decoder_with_past: withPast }
  const before = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
  let count = 0
  await createClipDecoder({ vae, vaeDecoder, parts }, dims).stream(latents, () => {
    count++
  })
  if (count !== frames) throw new Error(`${count} frames came, not ${frames}`)
  return { peak: process.resourceUsage().maxRSS * 1024 - before }
}
