import { describe, expect, it } from 'vitest'
import { type DecideInput, decideUnit, type FileStanding, type FinishedUnit } from '../../src/plan/decide.ts'

const NAMES = ['1.png', '2.png', 'final.png', 'timing.json']
const PARTS = { prompt: 'a', seed: '1' }
const record = (name: string) => ({ name, sha256: 'x', sizeBytes: 1, mtimeMs: 0 })
const ENTRY: FinishedUnit = { digest: 'd1', parts: PARTS, files: NAMES.map(record) }

const states = (changes: Record<string, FileStanding> = {}) =>
  new Map(NAMES.map((name): [string, FileStanding] => [name, changes[name] ?? 'intact']))

const COMPLETE: DecideInput = {
  digest: 'd1',
  parts: PARTS,
  expectedFiles: NAMES,
  entry: ENTRY,
  fileStates: states(),
  force: false,
}
const CHANGED = { digest: 'd2', parts: { ...PARTS, prompt: 'b' } }
const BROKEN = { fileStates: states({ '2.png': 'missing', 'final.png': 'altered' }) }

const TABLE: readonly [
  forced: boolean,
  entry: 'none' | 'same' | 'other',
  files: 'intact' | 'damaged',
  decision: string,
][] = [
  [false, 'none', 'intact', 'run: new'],
  [false, 'none', 'damaged', 'run: new'],
  [false, 'same', 'intact', 'skip: complete'],
  [false, 'same', 'damaged', 'run: 2.png missing'],
  [false, 'other', 'intact', 'run: prompt changed'],
  [false, 'other', 'damaged', 'run: prompt changed'],
  [true, 'none', 'intact', 'run: forced'],
  [true, 'none', 'damaged', 'run: forced'],
  [true, 'same', 'intact', 'run: forced'],
  [true, 'same', 'damaged', 'run: forced'],
  [true, 'other', 'intact', 'run: forced'],
  [true, 'other', 'damaged', 'run: forced'],
]

function decide(changes: Partial<DecideInput>): string {
  const { action, reason } = decideUnit({ ...COMPLETE, ...changes })
  return `${action}: ${reason}`
}

describe('decideUnit', () => {
  it.each(TABLE)('forced %s, entry %s, files %s → %s', (force, entry, files, decision) => {
    const changes = {
      force,
      ...(entry === 'none' ? { entry: null } : {}),
      ...(entry === 'other' ? CHANGED : {}),
      ...(files === 'damaged' ? BROKEN : {}),
    }
    expect(decide(changes)).toBe(decision)
  })

  it.each([
    [{ 'final.png': 'altered' }, 'run: final.png altered'],
    [{ 'timing.json': 'missing' }, 'run: timing.json missing'],
    [{ '1.png': 'altered', '2.png': 'missing' }, 'run: 1.png altered'],
  ] as const)('%j → %s', (changes, decision) => {
    expect(decide({ fileStates: states(changes) })).toBe(decision)
  })

  it('a file that nobody looked at is missing', () => {
    expect(decide({ fileStates: new Map() })).toBe('run: 1.png missing')
  })

  it('a file that the ledger does not know is missing, whatever lies on disk', () => {
    expect(decide({ entry: { ...ENTRY, files: NAMES.slice(0, 3).map(record) } })).toBe(
      'run: timing.json missing',
    )
  })

  it('files beyond the expected do not matter', () => {
    expect(decide({ expectedFiles: ['final.png'], fileStates: states({ '1.png': 'missing' }) })).toBe(
      'skip: complete',
    )
  })

  it('another digest of the same parts comes from another version of the ledger', () => {
    expect(decide({ digest: 'd2' })).toBe('run: recorded by another version')
  })
})
