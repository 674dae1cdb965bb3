import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { scratchFolder } from '../support/scratch.ts'

const fixtures = join(import.meta.dirname, '../fixtures/tokenizers')

/**
 * A tokenizer folder under test/fixtures/tokenizers, unpacked into a fresh temporary folder. The `-bang-pad`
 * folders hold settings only and borrow the vocabulary of the folder beside them.
 */
export function tokenizerFolder(name: string): string {
  const target = join(scratchFolder(), name)
  mkdirSync(target)
  for (const source of new Set([name.replace('-bang-pad', ''), name])) {
    for (const file of readdirSync(join(fixtures, source))) {
      const from = join(fixtures, source, file)
      if (file.endsWith('.gz'))
        writeFileSync(join(target, basename(file, '.gz')), gunzipSync(readFileSync(from)))
      else copyFileSync(from, join(target, file))
    }
  }
  return target
}

/** Parsed JSON of a golden file, unpacked where it is a .gz. */
export function readGoldens<T>(name: string): T {
  const bytes = readFileSync(join(fixtures, name))
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')) as T
}

/** Changes one JSON file of a folder. */
export function editJson(folder: string, file: string, edit: (json: Record<string, unknown>) => void): void {
  const path = join(folder, file)
  const json = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  edit(json)
  writeFileSync(path, JSON.stringify(json))
}
