// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
import { describe, expect, it } from 'vitest'
import { formatError } from '../../src/errors.ts'
import { faultsOf, outline, parse, sheetWith } from './helpers.ts'

const SEED = '    seeds: [1]\n'
const env = {
  PREGEN_HOUR: 'dusk at the sea',
  AWS_SECRET_ACCESS_KEY: 'AKIAVERYSECRET',
  HOME: '/home/someone',
  PREGEN_CALLBACK_SECRET: 'signing-value',
}
const prompt = (text: string) => sheetWith(`${SEED}    negative_prompt: "${text}"\n`)

describe('the environment', () => {
  it('is closed to a sheet but for PREGEN_*', () => {
    expect(parse(prompt('${PREGEN_HOUR}'), { env }).cues[0]!.variants[0]!.settings.negativePrompt).toBe(
      'dusk at the sea',
    )
    for (const name of ['AWS_SECRET_ACCESS_KEY', 'HOME', 'NOT_SET_ANYWHERE', 'pregen_hour', 'toString']) {
      const faults = faultsOf(prompt(`\${${name}}`), { env })
      expect(outline(faults)).toEqual(['10:22 E_ENV_NOT_ALLOWED'])
      expect(formatError(faults[0]!)).toContain(`--env ${name}`)
      expect(formatError(faults[0]!)).not.toMatch(/AKIA|someone/)
    }
  })

  it.each([
    ...[
      'PREGEN_CALLBACK_SECRET',
      'PREGEN_TOKEN',
      'PREGEN_HUB_APITOKEN',
      'PREGEN_API_KEYS',
      'PREGEN_callback_secret',
    ],
    ...['PREGEN_DB_PASSWORD', 'PREGEN_AUTH', 'PREGEN_SECRET_NAME', 'PREGEN_QUEUE', 'PREGEN_queue'],
  ])('keeps %s, which sounds like a secret or may hold one', (name) => {
    expect(outline(faultsOf(prompt(`\${${name}}`), { env: { [name]: 'x' } }))).toEqual([
      '10:22 E_ENV_NOT_ALLOWED',
    ])
    expect(
      parse(prompt(`\${${name}}`), { env: { [name]: 'x' }, allowedVariables: [name] }).cues,
    ).toHaveLength(1)
  })

  it('opens by name, or whole', () => {
    const settings = (allowedVariables: readonly string[] | 'all') =>
      parse(prompt('${HOME}'), { env, allowedVariables }).cues[0]!.variants[0]!.settings
    expect(settings(['HOME']).negativePrompt).toBe('/home/someone')
    expect(settings('all').negativePrompt).toBe('/home/someone')
    expect(
      outline(faultsOf(prompt('${HOME} ${AWS_SECRET_ACCESS_KEY}'), { env, allowedVariables: ['HOME'] })),
    ).toEqual(['10:22 E_ENV_NOT_ALLOWED'])
  })

  it('lends no other secret to sign a callback with', () => {
    const callback = (name: string) =>
      sheetWith(SEED, `callback: { url: https://a.b, secret_env: ${name} }\n`)
    expect(outline(faultsOf(callback('AWS_SECRET_ACCESS_KEY'), { env }))).toEqual(['2:43 E_ENV_NOT_ALLOWED'])
    expect(parse(callback('PREGEN_OTHER_SECRET'), { env }).callback?.secretEnv).toBe('PREGEN_OTHER_SECRET')
    expect(parse(callback('S'), { env, allowedVariables: ['S'] }).callback?.secretEnv).toBe('S')
  })

  it('is told of what was read, but for names of folders and keys', () => {
    const seen: string[] = []
    const text = prompt('${PREGEN_HOUR}').replace('version: v1', 'version: ${PREGEN_BUILD}')
    parse(text, { env: { ...env, PREGEN_BUILD: 'b17' }, onVariable: (name, value) => seen.push(name, value) })
    expect(seen).toEqual(['PREGEN_HOUR', 'dusk at the sea'])
  })

  it.each([
    ['version: v1', 'version: "${PREGEN_V}"'],
    ['program: P1', 'program: ${PREGEN_V}'],
    ['P1: {}', 'P1: { extends: "${PREGEN_V}" }'],
    ['P1: {}', 'P1: { model: "${PREGEN_V}" }'],
    ['P1: {}', 'P1: { scheduler: "${PREGEN_V}" }'],
    ['P1: {}', 'P1: { image: "ftp://${PREGEN_V}" }'],
    ['version: v1', 'version: v1\nroot: "a/${PREGEN_V}"'],
    ['version: v1', 'version: v1\nstorage: { bucket: b, prefix: "${PREGEN_V}" }'],
    ['version: v1', 'version: v1\nstorage: { bucket: "${PREGEN_V}" }'],
    ['version: v1', 'version: v1\nstorage: { bucket: b, endpoint: "ftp://${PREGEN_V}" }'],
    ['version: v1', 'version: v1\ncallback: "http://${PREGEN_V}"'],
    ['P1: {}', 'P1: { steps: "${PREGEN_V}" }'],
    ['seeds: [1]', 'matrix: { x: ["${PREGEN_V}", "${PREGEN_V}"], seed: [1] }'],
  ])('is not quoted by the fault of %s → %s', (from, to) => {
    const faults = faultsOf(sheetWith(SEED).replace(from, to), { env: { PREGEN_V: 'Hidden?value*' } })
    expect(faults.length).toBeGreaterThan(0)
    for (const fault of faults) expect(formatError(fault)).not.toMatch(/hidden.?value/i)
  })
})
