/** Copies of a tiny model to break. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type PregenError, PregenErrors } from '../../src/errors.ts'
import { scratchFolder } from '../support/scratch.ts'

export const MODELS = fileURLToPath(new URL('../fixtures/oracle/models', import.meta.url))

export function copyModel(name: string): string {
  const folder = join(scratchFolder(), name)
  cpSync(join(MODELS, name), folder, { recursive: true })
  return folder
}

/** The faults that `work` reports; fails when it reports none. */
export async function faultsOf(work: () => unknown): Promise<readonly PregenError[]> {
  try {
    await work()
  } catch (thrown) {
    if (thrown instanceof PregenErrors) return thrown.errors
    throw thrown
  }
  throw new Error('no fault was reported')
}
