/** Folders for all tests of a file, gone when they are over. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const made: string[] = []
afterAll(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true })
})

/** A new folder; may be asked for within tests too, by helpers that several files share. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pregen-test-'))
  made.push(folder)
  return folder
}

export function createScratch(): { readonly folder: string } {
  return { folder: scratchFolder() }
}
