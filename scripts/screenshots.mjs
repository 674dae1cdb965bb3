// Draws the pictures of docs/watching.md anew: `npm run screenshots`. Needs Debian's chromium and redis-server, as the tests do.
// --draft <folder> [name]: PNGs of every view, or of those so named, in that folder instead, to look at.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { createServer, createServerModuleRunner } from 'vite'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [draft, only] = process.argv[2] === '--draft' ? process.argv.slice(3) : [null]
const images = draft ?? join(root, 'docs/images')
mkdirSync(images, { recursive: true })
// Open to the end: the server loads its codecs when it needs them.
const vite = await createServer({
  ...{ configFile: false, root, appType: 'custom', logLevel: 'error' },
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
})
const runner = createServerModuleRunner(vite.environments.ssr)
const load = (path) => runner.import(join(root, path))
const { startBrowser } = await load('test/browser/support/browser.ts')
const { liveEvents } = await load('test/browser/support/live-events.ts')
const { runFinished, startLiveRun } = await load('test/browser/support/live-run.ts')
const { startServed } = await load('test/browser/support/served.ts')
const { stageQueueShow } = await load('test/browser/support/queue-show.ts')
const { startRedis } = await load('test/support/redis.ts')
const { connectQueue } = await load('src/queue/connect.ts')

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
  ['queue-dark', '#/queue', 'dark', DESKTOP],
  ['queue-light', '#/queue', 'light', DESKTOP],
  ['queue-phone', '#/queue', 'dark', PHONE],
]

// Kept: another time nothing is drawn again.
const out = join(root, 'node_modules/.cache/screenshots')
const cli = (...words) =>
  execFileSync(process.execPath, [join(root, 'bin/pregen.js'), ...words], { stdio: 'inherit' })
cli('run', join(root, 'scripts/screenshots.yaml'), '--dry-run', '--out', out, '--format', 'plain')
const folder = join(out, 'foigoi/opening-night')
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
const redis = await startRedis()
const client = await connectQueue(redis.url)
await stageQueueShow(client)
// Most people have no queue: the other views are those of a server without one.
const servers = { plain: await startServed(out), queue: await startServed(out, redis.url) }
const browser = await startBrowser()
try {
  for (const [place, [name, hash, colorScheme, viewport]] of SHOTS.entries()) {
    if (only !== undefined && !name.includes(only)) continue
    await shoot({ name, hash, colorScheme, viewport, place })
    console.log(name)
  }
} finally {
  await browser.close()
  await servers.plain.stop()
  await servers.queue.stop()
  await client.close()
  await redis.stop()
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  await runner.close()
  await vite.close()
}

async function shoot({ name, hash, colorScheme, viewport, place }) {
  // A run of its own for each shot. Live and gallery look in while it works, grid and replay when it is done.
  rmSync(join(out, '.pregen/runs'), { recursive: true, force: true })
  const works = /live|gallery/.test(name)
  const id = `20261126-2315${String(place).padStart(2, '0')}-4f7a`
  const run = await startLiveRun(out, id, { changes: works ? {} : { exitCode: 0 } })
  const far = works
    ? { current: 'harbour/seed-2', step: 13, failed: 'dawn/seed-9' }
    : { current: null, step: 0 }
  await run.emit(...liveEvents(manifest, { out, ...far }))
  if (!works) await run.emit(runFinished('opening-night'))
  const isListed = ({ metadata, variant }) => !works || (metadata.asset_index < 11 && variant !== 'seed-9')
  const assets = manifest.assets.filter(isListed)
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, assets }))
  // Who asks for less motion gets a replay that waits at its beginning.
  const server = name.startsWith('queue') ? servers.queue : servers.plain
  const { page, context, errors } = await browser.open({
    ...{ viewport, colorScheme, deviceScaleFactor: 1.5, reducedMotion: 'reduce' },
  })
  await page.goto(server.url)
  // The page has found the run by then, and gone where it wants.
  await page.waitForFunction(() => document.querySelector('.run-state-text')?.textContent !== undefined)
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
