// Draws the pictures of docs/watching.md anew: `npm run screenshots`. Needs Debian's chromium, as the tests do.
// --draft <folder>: PNGs of every view in that folder instead, to look at.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { runnerImport } from 'vite'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const draft = process.argv[2] === '--draft' ? process.argv[3] : null
const images = draft ?? join(root, 'docs/images')
mkdirSync(images, { recursive: true })
const load = async (path) => (await runnerImport(join(root, path), { configFile: false, root })).module
const { startBrowser } = await load('test/browser/support/browser.ts')
const { startFakeServer } = await load('test/browser/support/fake-server.ts')
const { liveEvents } = await load('test/browser/support/live-events.ts')

const DESKTOP = { width: 1440, height: 900 }
const PHONE = { width: 412, height: 840 }
const REPLAY = '#/replay/city/seed-4?layout=side&with=city/seed-5'
const SHOTS = [
  ['live-dark', '#/live', 'dark', DESKTOP],
  ['live-light', '#/live', 'light', DESKTOP],
  ['live-phone', '#/live', 'dark', PHONE],
  ['gallery-dark', '#/gallery', 'dark', DESKTOP],
  ['gallery-light', '#/gallery/city/seed-5', 'light', DESKTOP],
  ['gallery-phone', '#/gallery', 'light', PHONE],
  ['grid-dark', '#/grid?cue=forest&size=4', 'dark', DESKTOP],
  ['grid-light', '#/grid?cue=forest&size=2', 'light', DESKTOP],
  ['grid-phone', '#/grid?cue=forest&size=2', 'dark', PHONE],
  ['replay-dark', '#/replay/harbour/seed-1', 'dark', DESKTOP],
  ['replay-light', '#/replay/dawn?layout=cue', 'light', DESKTOP],
  ['replay-phone', '#/replay/harbour/seed-1', 'dark', PHONE],
  ['compare-dark', REPLAY, 'dark', DESKTOP],
  ['compare-light', REPLAY.replace('side', 'slider'), 'light', DESKTOP],
  ['compare-phone', REPLAY, 'dark', PHONE],
]

// Kept: another time nothing is drawn again.
const out = join(root, 'node_modules/.cache/screenshots')
const cli = (...words) =>
  execFileSync(process.execPath, [join(root, 'bin/pregen.js'), ...words], { stdio: 'inherit' })
cli('run', join(root, 'scripts/screenshots.yaml'), '--dry-run', '--out', out, '--format', 'plain')
const folder = join(out, 'foigoi/opening-night')
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
const server = await startFakeServer(join(root, 'dist/watch/page'), out)
server.versions = [{ version: 'opening-night', prefix: 'foigoi/opening-night' }]
const browser = await startBrowser()
try {
  for (const [name, hash, colorScheme, viewport] of SHOTS) {
    await shoot(name, hash, colorScheme, viewport)
    console.log(name)
  }
} finally {
  await browser.close()
  await server.stop()
}

async function shoot(name, hash, colorScheme, viewport) {
  // A run of its own for each shot. Live and gallery look in while it works, grid and replay when it is done.
  const run = `20261126-231502-${name}`
  const works = /live|gallery/.test(name)
  const about = { version: 'opening-night', prefix: 'foigoi/opening-night', sheet: 'cues.yaml' }
  server.runs = [{ id: run, state: works ? 'running' : 'done', ...about }]
  const place = works
    ? { current: 'harbour/seed-2', step: 13, failed: 'dawn/seed-9' }
    : { current: null, step: 0 }
  server.emit(run, ...liveEvents(manifest, place))
  if (!works)
    server.emit(run, { type: 'run-finished', version: 'opening-night', failed: 0, cancelled: false })
  const isListed = ({ metadata, variant }) => !works || (metadata.asset_index < 11 && variant !== 'seed-9')
  const assets = manifest.assets.filter(isListed)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, assets }))
  const picture = await sharp(join(folder, 'cues/harbour/seed-2/13.png')).jpeg({ quality: 90 }).toBuffer()
  const unit = { cue: 'harbour', variant: 'seed-2', step: 13, steps: 20 }
  server.push({ active: works, run, ...unit, progress: 0.65, image_id: 13 }, picture)
  // Who asks for less motion gets a replay that waits at its beginning.
  const { page, context, errors } = await browser.open({
    ...{ viewport, colorScheme, deviceScaleFactor: 1.5, reducedMotion: 'reduce' },
  })
  await page.goto(`${server.origin}/${hash}`)
  await page.waitForTimeout(1500)
  if (hash.startsWith('#/replay')) {
    await page.waitForSelector('.play:enabled')
    await page.keyboard.press('Home')
    for (let step = 0; step < 9; step++) await page.keyboard.press('ArrowRight')
    await page.waitForTimeout(300)
  }
  const shot = sharp(await page.screenshot()).resize({ width: viewport.width })
  await context.close()
  if (errors.length > 0) console.error(name, errors)
  if (draft === null) await shot.webp({ quality: 72 }).toFile(join(images, `watch-${name}.webp`))
  else await shot.png().toFile(join(images, `${name}.png`))
}
