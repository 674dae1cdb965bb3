// Compiles src/ to dist/modules/ and joins it into dist/, builds the page and the player into dist/watch/. The folder is swapped in whole,
// so a reader of dist/ never meets half a build.
import { execFileSync } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPage } from './build-page.mjs'
import { bundle } from './bundle.mjs'
import { bundleZod } from './bundle-zod.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
const fresh = join(root, `dist.${process.pid}.tmp`)
const old = join(root, `dist.${process.pid}.old`)
const compile = (config, ...options) =>
  execFileSync(process.execPath, [tsc, '-p', join(root, config), ...options], { stdio: 'inherit' })
try {
  compile('tsconfig.build.json', '--outDir', join(fresh, 'modules'), '--declarationDir', fresh)
  compile('tsconfig.player.json', '--outDir', fresh)
  await bundleZod(join(fresh, 'modules'))
  await bundle(fresh)
  await buildPage(root, join(fresh, 'watch/page'))
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old)
  renameSync(fresh, join(root, 'dist'))
} catch (error) {
  process.exitCode = typeof error?.status === 'number' ? error.status : 1
  if (typeof error?.status !== 'number') console.error(error)
} finally {
  rmSync(fresh, { recursive: true, force: true })
  rmSync(old, { recursive: true, force: true })
}
