// Builds src/watch/page and the single-file player with Vite into a folder. Names stay the same from build to build,
// so that a published page is replaced and not piled up; index.html asks for them with their hash behind "?".
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'vite'

const ICON_STEPS = 12

/** @param {string} root the package's folder @param {string} out */
export async function buildPage(root, out) {
  const common = { configFile: false, logLevel: 'warn', clearScreen: false }
  await build({
    ...common,
    root: join(root, 'src/watch/page'),
    base: './',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: ['chrome123', 'firefox120', 'safari17.5'],
      modulePreload: false,
      assetsInlineLimit: 0,
      rollupOptions: {
        output: {
          entryFileNames: 'page.js',
          chunkFileNames: 'page-[name].js',
          assetFileNames: 'page.[ext]',
        },
      },
    },
  })
  await build({
    ...common,
    root: join(root, 'src/watch/player'),
    build: {
      outDir: out,
      emptyOutDir: false,
      copyPublicDir: false,
      target: ['chrome100', 'firefox101', 'safari16.4'],
      lib: { entry: 'index.ts', formats: ['es'], fileName: () => 'player.js' },
    },
  })
  // Preact is in page.js; its licence goes with it.
  const script = join(out, 'page.js')
  writeFileSync(
    script,
    `/*! with Preact, MIT, (c) 2015-present Jason Miller */\n${readFileSync(script, 'utf8')}`,
  )
  copyFileSync(join(root, 'node_modules/preact/LICENSE'), join(out, 'preact.LICENSE'))
  addHashes(out)
  writeIcons(out)
}

/** Adds `?<hash>` to what index.html asks for, so that no cache pairs it with an older file. */
function addHashes(out) {
  const path = join(out, 'index.html')
  const html = readFileSync(path, 'utf8')
    .replaceAll(/\.\/(page\.(?:js|css))"/g, (_, name) => {
      const hash = createHash('sha256')
        .update(readFileSync(join(out, name)))
        .digest('hex')
        .slice(0, 8)
      return `./${name}?${hash}"`
    })
    // Same origin: no CORS request is wanted, which some static hosts would refuse.
    .replaceAll(' crossorigin', '')
  writeFileSync(path, html)
}

/** The tab's icon, and one for each twelfth of a run. */
function writeIcons(out) {
  mkdirSync(join(out, 'icons'), { recursive: true })
  writeFileSync(join(out, 'icon.svg'), iconOf(1))
  for (let step = 0; step <= ICON_STEPS; step++) {
    writeFileSync(join(out, `icons/${step}.svg`), iconOf(step / ICON_STEPS))
  }
}

/** A disc that fills clockwise. @param {number} share 0 … 1 */
function iconOf(share) {
  const angle = share * 2 * Math.PI
  const [x, y] = [16 + 12 * Math.sin(angle), 16 - 12 * Math.cos(angle)].map((value) => value.toFixed(2))
  const wedge =
    share >= 1
      ? '<circle cx="16" cy="16" r="12" fill="#7cb7ff"/>'
      : `<path d="M16 16V4A12 12 0 ${share > 0.5 ? 1 : 0} 1 ${x} ${y}Z" fill="#7cb7ff"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#15181e"/>${wedge}</svg>\n`
}
