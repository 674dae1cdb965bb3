import { expect, test } from 'vitest'
import { expandUnits } from '../../src/plan/expand.ts'
import { faultsFrom, parse } from '../cue-sheet/helpers.ts'
import { SD_FACTS } from './helpers.ts'

const messagesOf = (cue: string, facts = SD_FACTS) => {
  const text = `version: v1\nprograms: { P1: {} }\ncues:\n  c: { program: P1, prompt: x, ${cue} }\n`
  return faultsFrom(() => expandUnits(parse(text), { backdrop: facts })).map(({ message }) => message)
}

test('a fault of one cell of a matrix names its value', () => {
  expect(messagesOf('matrix: { scheduler: [ddim, FlowMatchEulerDiscreteScheduler] }')).toEqual([
    expect.stringMatching(
      /^cues\.c\.matrix\.scheduler\[1\] \("FlowMatchEulerDiscreteScheduler"\) does not work/,
    ),
  ])
  expect(messagesOf('matrix: { width: [512, 96] }')).toEqual([
    expect.stringMatching(/^cues\.c\.matrix\.width\[1\] is 96; /),
  ])
})

test('a fault that several cells share is told once, with the first of them', () => {
  expect(
    messagesOf('image: a.png, matrix: { prompt: [sea, hill], seed: [1, 2] }', {
      ...SD_FACTS,
      hasVaeEncoder: false,
    }),
  ).toEqual([expect.stringMatching(/^cues\.c\.image \(variant "sea-1"\) has to be encoded/)])
})
