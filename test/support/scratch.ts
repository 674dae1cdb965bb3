/** A folder for all tests of a file, gone when they are over. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export function createScratch(): { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'pregen-test-'))
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return { folder }
}
