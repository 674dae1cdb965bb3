import { expect, test } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import { StageError } from '../../src/pipelines/stage.ts'
import { describeFailure } from '../../src/run/describe-failure.ts'

test('a stage is told once, and its help with it', () => {
  const fault = new PregenError('E_NUMERIC_FAULT', 'The picture holds NaN values.', { help: 'Use fp32.' })
  expect(describeFailure('generate', new StageError('vae decode', fault))).toEqual({
    ...{ stage: 'vae decode', code: 'E_NUMERIC_FAULT' },
    ...{ message: 'The picture holds NaN values.', help: 'Use fp32.' },
  })
})

test('plain data from another process has its stage and help too', () => {
  const wire = {
    code: 'E_NUMERIC_FAULT',
    message: 'text encode: it is NaN.',
    help: 'Use fp32.',
    stage: 'text encode',
  }
  expect(describeFailure('generate', wire)).toMatchObject({ stage: 'text encode', message: 'it is NaN.' })
})

test.each([
  [new Error('odd'), 'E_UNEXPECTED', 'odd'],
  ['odd', 'E_UNEXPECTED', 'odd'],
  [new PregenError('E_WRITE_FAILED', 'no room'), 'E_WRITE_FAILED', 'no room'],
])('%s is told with something to do', (reason, code, message) => {
  const failure = describeFailure('write', reason)
  expect(failure).toMatchObject({ stage: 'write', code, message })
  expect(failure.help).toMatch(/Run the sheet again/)
})
