/** The package's own version and folders, found from where this file stands (dist/cli). */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json, models/ and cues/. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The page as Vite built it, for `serve` and `gallery`. */
export const pageFolder = join(packageRoot, 'dist', 'watch', 'page')

export function readPackageVersion(): string {
  return packageVersion(packageRoot)
}

/** As a package's own package.json tells it. */
function packageVersion(folder: string): string {
  const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) return String(parsed.version)
  throw new Error(`${folder}/package.json has no version`)
}

/** Models that ship with the package, by the id that a sheet may use without declaring it. */
export const embeddedModels: Readonly<Record<string, string>> = {
  backdrop: join(packageRoot, 'models', 'backdrop'),
}
