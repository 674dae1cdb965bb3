import { describe, expect, it } from 'vitest'
import { selectUnits } from '../../src/plan/select.ts'

const UNITS = [
  { cue: 'dawn', variant: 'wide', program: 'P0' },
  { cue: 'dawn', variant: 'close', program: 'P0' },
  { cue: 'storm', variant: 'seed-1', program: 'P1' },
  { cue: 'storm', variant: 'seed-2', program: 'P1' },
]
const select = (selection: Parameters<typeof selectUnits>[1]) =>
  selectUnits(UNITS, selection).map(({ cue, variant }) => `${cue}/${variant}`)

describe('selectUnits', () => {
  it('takes all without globs, and keeps the order', () => {
    expect(selectUnits(UNITS, {})).toEqual(UNITS)
    expect(select({ cue: '*' })).toHaveLength(4)
  })

  it('combines globs', () => {
    expect(select({ cue: 'storm' })).toEqual(['storm/seed-1', 'storm/seed-2'])
    expect(select({ variant: 'seed-*', cue: 's*' })).toEqual(['storm/seed-1', 'storm/seed-2'])
    expect(select({ program: 'P{0,9}', variant: '!wide' })).toEqual(['dawn/close'])
  })

  it('a glob that matches nothing lists what there is', () => {
    expect(() => select({ cue: 'dusk' })).toThrow(
      expect.objectContaining({
        code: 'E_NOTHING_SELECTED',
        message: '--cue dusk matches nothing.',
        help: 'There are: dawn, storm.',
      }),
    )
    expect(() => select({ cue: 'dawn', variant: 'seed-*' })).toThrow(
      expect.objectContaining({ help: 'There are: wide, close.' }),
    )
  })

  it('lists thirty candidates at most', () => {
    const many = Array.from({ length: 50 }, (_, i) => ({ cue: `c${i}`, variant: 'v', program: 'P' }))
    expect(() => selectUnits(many, { cue: 'x' })).toThrow(
      expect.objectContaining({ help: expect.stringMatching(/c29, and 20 more\.$/) }),
    )
  })
})
