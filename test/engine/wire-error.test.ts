import { describe, expect, it } from 'vitest'
import { toWireError, WorkerError } from '../../src/engine/wire-error.ts'
import { PregenError } from '../../src/errors.ts'
import { StageError } from '../../src/pipelines/stage.ts'

describe('errors across the thread boundary', () => {
  it('keep code, message, help and stage', () => {
    const thrown = new StageError(
      'vae decode',
      new PregenError('E_NUMERIC_FAULT', 'NaN', { help: 'Use fp32.' }),
    )
    const wire = toWireError(thrown)
    expect(structuredClone(wire)).toEqual(wire)
    expect(new WorkerError(wire, 'generate')).toMatchObject({
      code: 'E_NUMERIC_FAULT',
      message: 'vae decode: NaN',
      help: 'Use fp32.',
      stage: 'vae decode',
      exitCode: 3,
    })
  })

  it('name the request where no stage is known', () => {
    expect(new WorkerError(toWireError(new PregenError('E_BUG', 'x')), 'encode').stage).toBe('encode')
  })

  it("carry a bug's stack, and the text of what is no error at all", () => {
    const bug = toWireError(new TypeError('x is not a function'))
    expect(bug).toMatchObject({ code: 'E_UNEXPECTED', message: 'x is not a function' })
    expect(new WorkerError(bug, 'generate').cause).toContain('wire-error.test.ts')
    expect(toWireError('no')).toMatchObject({ code: 'E_UNEXPECTED', message: 'no', stack: undefined })
  })
})
