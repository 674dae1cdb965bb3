// Draws the pictures of docs/: every step of three cues by each preview method, and the README's strip.
// Run it after the model or a preview method has changed: npm run build && node scripts/make-strips.mjs
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { composeStrip } from '../dist/modules/preview/strip.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const images = join(root, 'docs/images')
const cues = {
  dawn: { prompt: 'misty mountains at dawn', seed: 12 },
  sea: { prompt: 'sea at night, full moon, stars', seed: 4 },
  city: { prompt: 'city skyline at dusk', seed: 25 },
}
const methods = { latent2rgb: 'latent2rgb', taesd: 'taesd', full: 'full' }
const size = { width: 256, height: 144 }
const steps = 20
const readmeSteps = [1, 3, 5, 8, 12, 16]

const folder = mkdtempSync(join(tmpdir(), 'pregen-strips-'))
try {
  writeFileSync(
    join(folder, 'cues.yaml'),
    JSON.stringify({
      version: 'strips',
      defaults: { ...size, steps, guidance_scale: 3 },
      programs: Object.fromEntries(
        Object.entries(methods).map(([id, method]) => [id, { previews: { method, size: 'image' } }]),
      ),
      cues: Object.fromEntries(
        Object.keys(methods).map((program) => [program, { program, prompt: 'unused', variants: cues }]),
      ),
    }),
  )
  execFileSync(process.execPath, [join(root, 'bin/pregen.js'), 'run', 'cues.yaml', '--dry-run'], {
    cwd: folder,
    stdio: 'inherit',
  })
  const read = async (cue, variant, name) => {
    const path = join(folder, 'out/foigoi/strips/cues', cue, variant, name)
    const { data, info } = await sharp(readFileSync(path))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { rgb: data, width: info.width, height: info.height }
  }
  const save = async (name, pictures, columns, cellWidth) => {
    const { rgb, width, height } = await composeStrip(pictures, columns, {
      cellWidth,
      cellHeight: Math.round((cellWidth * size.height) / size.width),
      gap: 3,
    })
    const raw = { raw: { width, height, channels: 3 } }
    await sharp(rgb, raw).webp({ quality: 85, effort: 6 }).toFile(join(images, name))
  }

  for (const method of Object.keys(methods)) {
    const pictures = []
    for (const variant of Object.keys(cues)) {
      for (let step = 1; step <= steps; step++) pictures.push(await read(method, variant, `${step}.png`))
      pictures.push(await read(method, variant, 'final.png'))
    }
    await save(`steps-${method}.webp`, pictures, steps + 1, 96)
  }
  const strip = []
  for (const variant of Object.keys(cues)) {
    for (const step of readmeSteps) strip.push(await read('taesd', variant, `${step}.png`))
    strip.push(await read('taesd', variant, 'final.png'))
  }
  await save('strip.webp', strip, readmeSteps.length + 1, 192)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
