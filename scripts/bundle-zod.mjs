// Puts zod into the file that all others take it from, without its translations.
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const withoutTranslations = {
  name: 'without-translations',
  enforce: 'pre',
  load: (id) =>
    /zod[\\/]v4[\\/]locales[\\/]index\.js$/.test(id) ? "export { default as en } from './en.js'" : null,
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** @param {string} dist the folder that holds the compiled zod.js */
export async function bundleZod(dist) {
  await build({
    ...{ configFile: false, logLevel: 'warn', clearScreen: false, root, publicDir: false },
    plugins: [withoutTranslations],
    build: {
      outDir: dist,
      emptyOutDir: false,
      minify: true,
      target: 'node20',
      lib: { entry: join(dist, 'zod.js'), formats: ['es'], fileName: () => 'zod.js' },
    },
  })
  const file = join(dist, 'zod.js')
  const licence = readFileSync(join(root, 'node_modules/zod/LICENSE'), 'utf8').trim()
  writeFileSync(file, `/*! with zod\n\n${licence}\n*/\n${readFileSync(file, 'utf8')}`)
}
