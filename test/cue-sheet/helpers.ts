import { expect } from 'vitest'
import type { ParseSheetOptions } from '../../src/cue-sheet/options.ts'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import type { CueSheet } from '../../src/cue-sheet/sheet.ts'
import { type PregenError, PregenErrors } from '../../src/errors.ts'

export const EMBEDDED = { backdrop: '/package/models/backdrop' }

/** Parses text as `shows/cues.yaml`. */
export function parse(text: string, options: Partial<ParseSheetOptions> = {}): CueSheet {
  const bytes = new TextEncoder().encode(text)
  return parseCueSheet(bytes, { file: 'shows/cues.yaml', env: {}, embeddedModels: EMBEDDED, ...options })
}

/** The faults of a sheet, in order. */
export function faultsOf(
  text: string | Uint8Array,
  options: Partial<ParseSheetOptions> = {},
): readonly PregenError[] {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  return faultsFrom(() =>
    parseCueSheet(bytes, { file: 'shows/cues.yaml', env: {}, embeddedModels: EMBEDDED, ...options }),
  )
}

export function faultsFrom(work: () => unknown): readonly PregenError[] {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(PregenErrors)
    if (error instanceof PregenErrors) return error.errors
  }
  throw new Error('no fault was reported')
}

/** `4:3 E_BAD_STEPS`: place and code of each fault. */
export function outline(faults: readonly PregenError[]): string[] {
  return faults.map(({ location, code }) => `${location?.line}:${location?.column} ${code}`)
}

/** A sound sheet around a cue's body, for tests of one thing. */
export function sheetWith(cue: string, rest = ''): string {
  return `version: v1\n${rest}programs:\n  P0: {}\n  P1: {}\ncues:\n  dawn:\n    program: P1\n    prompt: a hill\n${cue}`
}
