// Joins the compiled modules into few files, which Node reads in a third of the time: a command and its worker processes start sooner.
import { join } from 'node:path'
import { rolldown } from 'rolldown'

/** What is started or imported by name, each list a bundle: a worker shares nothing with the rest, so that it is one file to read. */
const BUNDLES = [['cli/main', 'index'], ['engine/inference-process'], ['engine/preview-process']]

const isOfAPackage = (id) => !/^[./]|^[A-Z]:/i.test(id)

/** @param {string} dist the folder that holds the compiled modules in `modules/`, and gets the bundles */
export async function bundle(dist) {
  for (const entries of BUNDLES) {
    const input = Object.fromEntries(entries.map((name) => [name, join(dist, 'modules', `${name}.js`)]))
    const bundled = await rolldown({ input, platform: 'node', external: isOfAPackage })
    // Workers are started by files beside the code that starts them, so all that entries share lies there.
    await bundled.write({
      dir: dist,
      format: 'es',
      entryFileNames: '[name].js',
      chunkFileNames: 'engine/[name]-[hash].js',
    })
    await bundled.close()
  }
}
