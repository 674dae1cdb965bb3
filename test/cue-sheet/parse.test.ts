import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SheetVariant } from '../../src/cue-sheet/sheet.ts'
import { faultsOf, outline, parse, sheetWith } from './helpers.ts'

const SEED = '    seeds: [1]\n'

/** Variants of the first cue. */
function variantsOf(text: string): readonly SheetVariant[] {
  return parse(text).cues[0]!.variants
}

const settingsOf = (text: string) => variantsOf(text)[0]!.settings
const idsOf = (text: string) => variantsOf(text).map(({ id }) => id)

describe('a whole sheet', () => {
  const sheet = parse(`
version: opening-night
models:
  backdrop: ../models/backdrop
  sdxl: { path: /srv/sdxl, provider: cuda, pipeline: sdxl, preview_decoder: taesdxl, sha256: ${'a'.repeat(64)} }
defaults: { model: backdrop, width: 128, height: 128, steps: 20, guidance_scale: 4.5 }
programs:
  P0: {}
  P1: { previews: { method: latent2rgb } }
  P2: { extends: P1, model: sdxl, scheduler: { name: flow-match-euler, shift: 3 } }
cues:
  dawn:
    program: P1
    prompt: misty mountains at dawn
    negative_prompt: city
    variants:
      wide: { seed: 7 }
      close: { seed: 8, prompt: one mountain at dawn }
  storm: { program: P2, prompt: sea at night, seeds: [1, "18446744073709551615"] }
storage: { bucket: show, endpoint: https://x.example/, prefix: /shows/2026/, public_url: https://cdn.example/ }
callback: https://hooks.example/done
`)

  it('keeps models, with absolute paths', () => {
    expect(sheet.models.backdrop).toMatchObject({ path: resolve('models/backdrop'), embedded: false })
    expect(sheet.models.sdxl).toEqual({
      id: 'sdxl',
      path: '/srv/sdxl',
      embedded: false,
      provider: 'cuda',
      pipeline: 'sdxl',
      previewDecoder: resolve('shows/taesdxl'),
      sha256: 'a'.repeat(64),
    })
  })

  it('lists variants with merged settings and where each was set', () => {
    const [wide, close] = sheet.cues[0]!.variants
    expect(wide).toMatchObject({
      id: 'wide',
      settings: {
        model: 'backdrop',
        seed: 7n,
        steps: 20,
        guidanceScale: 4.5,
        previews: { method: 'latent2rgb' },
      },
    })
    expect(close!.settings.prompt).toBe('one mountain at dawn')
    expect(close!.settings.negativePrompt).toBe('city')
    expect(sheet.locate(close!.origins.prompt!)).toEqual({ file: 'shows/cues.yaml', line: 18, column: 33 })
    expect(sheet.locate(close!.origins.steps!)).toMatchObject({ line: 6, column: 62 })
    const [one, big] = sheet.cues[1]!.variants
    expect(one!.id).toBe('seed-1')
    expect(big).toMatchObject({ id: 'seed-18446744073709551615', settings: { seed: 2n ** 64n - 1n } })
    expect(big!.settings.scheduler).toEqual({ name: 'flow-match-euler', config: { shift: 3 } })
  })

  it('makes connections uniform', () => {
    expect(sheet.storage).toEqual({
      bucket: 'show',
      endpoint: 'https://x.example/',
      region: undefined,
      prefix: 'shows/2026',
      concurrency: 16,
      publicUrl: 'https://cdn.example',
      forcePathStyle: undefined,
    })
    expect(sheet.callback).toEqual({
      url: 'https://hooks.example/done',
      on: 'run',
      secretEnv: 'PREGEN_CALLBACK_SECRET',
      jobId: undefined,
      locate: expect.any(Function),
    })
    expect(sheet.callback?.locate()).toEqual({ file: sheet.file, line: 21, column: 11 })
    expect(parse(sheetWith(SEED))).toMatchObject({
      storage: null,
      callback: null,
      root: 'foigoi',
      warnings: [],
    })
  })
})

describe('precedence', () => {
  it('defaults < program with its ancestors < cue < variant', () => {
    const text = `version: v
defaults: { steps: 1, width: 8, height: 8, batch: 1, seed: 1 }
programs:
  A: { steps: 2, width: 16, height: 16, batch: 2 }
  B: { extends: A, width: 24, height: 24, batch: 3 }
cues:
  c: { program: B, prompt: x, height: 32, batch: 4, variants: { v: { batch: 5 }, w: {} } }
`
    expect(settingsOf(text)).toMatchObject({ seed: 1n, steps: 2, width: 24, height: 32, batch: 5 })
    expect(variantsOf(text)[1]!.settings.batch).toBe(4)
  })

  it('a program may extend one that stands below it', () => {
    const text =
      'version: v\nprograms: { A: { extends: B }, B: { steps: 3 } }\ncues: { c: { program: A, prompt: x, seeds: [1] } }\n'
    expect(settingsOf(text).steps).toBe(3)
  })

  it('null takes a setting back to absent', () => {
    const text = sheetWith(
      '    variants: { a: { negative_prompt: null, steps: ~ }, b: {} }\n    negative_prompt: city\n',
      'defaults: { steps: 9, image: x.png }\n',
    )
    const [a, b] = variantsOf(text)
    expect(Object.keys(a!.settings)).not.toContain('negativePrompt')
    expect(Object.keys(a!.settings)).not.toContain('steps')
    expect(b!.settings).toMatchObject({ negativePrompt: 'city', steps: 9 })
  })

  it('previews merge key by key; true and false turn them on and off', () => {
    const text = (variant: string) =>
      sheetWith(
        `    variants: { a: { previews: ${variant} } }\n`,
        'defaults: { previews: { method: full, every: 2 } }\n',
      )
    expect(settingsOf(text('{ every: 5 }')).previews).toEqual({ method: 'full', every: 5 })
    expect(settingsOf(text('true')).previews).toEqual({ method: 'full', every: 2 })
    expect(settingsOf(text('false')).previews).toBe(false)
    const off = sheetWith(
      '    variants: { a: { previews: true } }\n',
      'defaults: { previews: { method: none, every: 2 } }\n',
    )
    expect(settingsOf(off).previews).toEqual({ method: undefined, every: 2 })
  })

  it('a scheduler that is named replaces, one that is not adds', () => {
    const text = (variant: string) =>
      sheetWith(
        `    variants: { a: { scheduler: ${variant} } }\n`,
        'defaults: { scheduler: { name: euler, steps_offset: 1 } }\n',
      )
    expect(settingsOf(text('heun')).scheduler).toEqual({ name: 'heun', config: {} })
    expect(settingsOf(text('{ name: heun, beta_end: 0.1 }')).scheduler).toEqual({
      name: 'heun',
      config: { beta_end: 0.1 },
    })
    expect(settingsOf(text('{ use_karras_sigmas: true }')).scheduler).toEqual({
      name: 'euler',
      config: { steps_offset: 1, use_karras_sigmas: true },
    })
    expect(settingsOf(sheetWith(`${SEED}    scheduler: { shift: 2 }\n`)).scheduler).toEqual({
      name: undefined,
      config: { shift: 2 },
    })
  })

  it('a class of diffusers is a scheduler name too', () => {
    const scheduler = (value: string) => settingsOf(sheetWith(`${SEED}    scheduler: ${value}\n`)).scheduler
    expect(scheduler('EulerDiscreteScheduler')!.name).toBe('euler')
    expect(scheduler('{ name: DPMSolverMultistepScheduler, algorithm_type: sde-dpmsolver++ }')!.name).toBe(
      'dpm++2m-sde',
    )
  })
})

describe('variants', () => {
  it('a matrix multiplies its axes, the last one fastest', () => {
    const text = sheetWith(
      '    matrix: { light: [Sunlit!, Deep Night], seed: [1, 2] }\n    prompt_template: "{prompt}, { light }, {{painted}} {seed}"\n',
    )
    expect(idsOf(text)).toEqual(['sunlit-1', 'sunlit-2', 'deep-night-1', 'deep-night-2'])
    expect(variantsOf(text)[3]!.settings).toMatchObject({
      seed: 2n,
      prompt: 'a hill, Deep Night, {painted} 2',
    })
  })

  it('an axis may be any setting', () => {
    const text = sheetWith(
      '    matrix: { guidance_scale: [1, 4.5], scheduler: [euler, dpm++2m], thumbnail: [true] }\n',
    )
    expect(idsOf(text)).toEqual(['1-euler-true', '1-dpm-2m-true', '4.5-euler-true', '4.5-dpm-2m-true'])
    expect(variantsOf(text)[3]!.settings).toMatchObject({
      guidanceScale: 4.5,
      scheduler: { name: 'dpm++2m' },
      thumbnail: true,
    })
    const prompts = sheetWith('    matrix: { prompt: [a red hill, a blue hill] }\n')
    expect(idsOf(prompts)).toEqual(['a-red-hill', 'a-blue-hill'])
    expect(variantsOf(prompts)[1]!.settings.prompt).toBe('a blue hill')
  })

  it('variants may stand beside seeds or a matrix, and come first', () => {
    expect(idsOf(sheetWith('    seeds: [1]\n    variants: { a: {} }\n'))).toEqual(['a', 'seed-1'])
    expect(idsOf(sheetWith('    matrix: { seed: [1] }\n    variants: { a: }\n'))).toEqual(['a', '1'])
  })

  it('seeds and a matrix exclude one another', () => {
    expect(outline(faultsOf(sheetWith('    seeds: [1]\n    matrix: { steps: [2] }\n')))).toEqual([
      '9:5 E_SEEDS_AND_MATRIX',
    ])
  })

  it('an axis that does nothing is a slip', () => {
    const [fault] = faultsOf(sheetWith('    matrix: { stpes: [1, 2] }\n'))
    expect(outline([fault!])).toEqual(['9:15 E_UNUSED_AXIS'])
    expect(fault!.help).toMatch('"steps"')
  })

  it('values of a setting axis are checked like the setting', () => {
    expect(outline(faultsOf(sheetWith('    matrix: { steps: [1, 0], seed: [x], fit: [covr] }\n')))).toEqual([
      ...['9:26 E_BAD_STEPS', '9:37 E_BAD_SEED', '9:47 E_BAD_VALUE'],
    ])
    expect(outline(faultsOf(sheetWith('    matrix: { seed: ["!!!", {}] }\n'))).sort()).toEqual([
      ...['9:22 E_BAD_SEED', '9:29 E_BAD_SEED'],
    ])
    const nothing = sheetWith('    matrix: { mood: ["!!!"] }\n    prompt_template: "{mood}"\n')
    expect(outline(faultsOf(nothing))).toEqual(['9:22 E_BAD_ID'])
  })
})

describe('prompt_template', () => {
  it('an unknown placeholder is a fault, told once a template', () => {
    const text = sheetWith('    matrix: { light: [a, b] }\n    prompt_template: "{prompt} {light} {mood}"\n')
    const faults = faultsOf(text)
    expect(outline(faults)).toEqual(['10:22 E_UNKNOWN_PLACEHOLDER'])
    expect(faults[0]!.help).toMatch('{prompt}, {light}')
  })

  it('a brace without its partner is a fault', () => {
    expect(outline(faultsOf(sheetWith(`${SEED}    prompt_template: "{prompt"\n`)))).toEqual([
      '10:22 E_BAD_TEMPLATE',
    ])
  })

  it('without {prompt} it needs no prompt', () => {
    const text = sheetWith('    matrix: { light: [a] }\n    prompt_template: "only {light}"\n').replace(
      '    prompt: a hill\n',
      '',
    )
    expect(settingsOf(text).prompt).toBe('only a')
  })

  it('a variant without the axis cannot fill it', () => {
    const text = sheetWith(
      '    matrix: { light: [a] }\n    variants: { b: {} }\n    prompt_template: "{light}"\n',
    )
    expect(outline(faultsOf(text))).toEqual(['11:22 E_UNKNOWN_PLACEHOLDER'])
  })
})

describe('version', () => {
  it('PREGEN_VERSION_ID wins over the sheet, --version-id over both', () => {
    const text = sheetWith(SEED)
    expect(parse(text).version).toBe('v1')
    expect(parse(text, { env: { PREGEN_VERSION_ID: 'env' } }).version).toBe('env')
    expect(parse(text, { env: { PREGEN_VERSION_ID: '' } }).version).toBe('v1')
    expect(parse(text, { env: { PREGEN_VERSION_ID: 'env' }, versionId: 'flag' }).version).toBe('flag')
    expect(parse(text.replace('version: v1\n', ''), { versionId: 'flag' }).version).toBe('flag')
  })
})

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: the sheet's own syntax */
describe('variables', () => {
  const env = { NAME: 'dusk', N: '12', SEED: '18446744073709551615', EMPTY: '', YES: 'true', BUILD: '0042' }
  const settings = (setting: string) =>
    parse(sheetWith(`${SEED}    ${setting}\n`), { env, allowedVariables: 'all' }).cues[0]!.variants[0]!
      .settings

  it('fill values wherever they stand', () => {
    expect(settings('negative_prompt: at ${NAME} and ${N}').negativePrompt).toBe('at dusk and 12')
    expect(settings('negative_prompt: "${NAME}"').negativePrompt).toBe('dusk')
    expect(settings('negative_prompt: ${EMPTY}').negativePrompt).toBe('')
    expect(parse(sheetWith(SEED).replace('v1', '${BUILD}'), { env, allowedVariables: 'all' }).version).toBe(
      '0042',
    )
  })

  it('unquoted, stand for numbers, true and false where these are asked for', () => {
    expect(settings('steps: ${N}').steps).toBe(12)
    expect(settings('thumbnail: ${YES}').thumbnail).toBe(true)
    expect(settings('negative_prompt: ${N}').negativePrompt).toBe('12')
    const quoted = faultsOf(sheetWith(`${SEED}    steps: "\${N}"\n`), { env, allowedVariables: 'all' })
    expect(outline(quoted)).toEqual(['10:12 E_BAD_STEPS'])
  })

  it('keep every digit of a seed', () => {
    const text = sheetWith('    variants: { a: { seed: "${SEED}" } }\n')
    expect(parse(text, { env, allowedVariables: 'all' }).cues[0]!.variants[0]!.settings.seed).toBe(
      2n ** 64n - 1n,
    )
    expect(
      parse(sheetWith(SEED, 'defaults:\n  seed: ${SEED}\n'), { env, allowedVariables: 'all' }).cues,
    ).toHaveLength(1)
  })

  it('$${ is a literal ${, and a lone $ is itself', () => {
    expect(settings('negative_prompt: "$${NAME} costs $5 {x} $"').negativePrompt).toBe(
      '${NAME} costs $5 {x} $',
    )
  })

  it('do not fill keys', () => {
    expect(
      faultsOf(sheetWith('    "${NAME}": 1\n    seeds: [1]\n'), { env, allowedVariables: 'all' })[0]!.code,
    ).toBe('E_UNKNOWN_KEY')
  })

  it('never appear in a message', () => {
    const secret = 'hunter2-secret'
    const bad = sheetWith(
      `${SEED}    steps: \${SECRET}\n    seed: \${SECRET}\n    fit: "\${SECRET}"\n    image: "ftp://\${SECRET}"\n`,
      'storage: { bucket: "no ${SECRET}", endpoint: "http://${SECRET}", prefix: "../${SECRET}" }\ncallback: "x${SECRET}"\n',
    )
    const faults = faultsOf(bad, { env: { SECRET: secret }, allowedVariables: 'all' })
    expect(faults.length).toBeGreaterThanOrEqual(8)
    for (const { message, help } of faults) expect(`${message} ${help}`).not.toMatch(secret)
  })
})
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: the sheet's own syntax */

describe('models', () => {
  it('the embedded one is the default of a sheet that declares none', () => {
    const sheet = parse(sheetWith(SEED))
    expect(sheet.cues[0]!.variants[0]!.settings.model).toBe('backdrop')
    expect(sheet.models.backdrop).toMatchObject({ path: '/package/models/backdrop', embedded: true })
  })

  it('the only one declared is the default', () => {
    const sheet = parse(sheetWith(SEED, 'models: { mine: folder }\n'))
    expect(Object.keys(sheet.models)).toEqual(['mine'])
    expect(sheet.models.mine!.path).toBe(resolve('shows/folder'))
  })

  it('of several, one must be named', () => {
    const text = sheetWith(SEED, 'models: { a: x, b: y }\n')
    expect(outline(faultsOf(text))).toEqual(['7:3 E_NO_MODEL'])
    expect(faultsOf(text)[0]!.help).toMatch('a, b')
    expect(outline(faultsOf(sheetWith(SEED), { embeddedModels: {} }))).toEqual(['6:3 E_NO_MODEL'])
  })

  it('only those that are used are kept', () => {
    const sheet = parse(sheetWith(`${SEED}    model: b\n`, 'models: { a: x, b: y }\n'))
    expect(Object.keys(sheet.models)).toEqual(['b'])
    const declared = parse(sheetWith(SEED, 'defaults: { model: backdrop }\nmodels: { backdrop: own }\n'))
    expect(declared.models.backdrop).toMatchObject({ embedded: false })
  })
})

describe('image-to-image', () => {
  it('paths start from the sheet', () => {
    expect(settingsOf(sheetWith(`${SEED}    image: stage.png\n`)).image).toBe(resolve('shows/stage.png'))
    expect(settingsOf(sheetWith(`${SEED}    image: https://a.b/c.png\n`)).image).toBe('https://a.b/c.png')
  })

  it.each(['http://a.b/c.png', 'file:///etc/passwd', 'data:image/png;base64,AA', 'ftp://a/b', 'https://'])(
    '%s is refused',
    (url) => {
      expect(outline(faultsOf(sheetWith(`${SEED}    image: "${url}"\n`)))).toEqual([
        url === 'https://' ? '10:12 E_IMAGE_URL_INVALID' : '10:12 E_IMAGE_URL_SCHEME',
      ])
    },
  )

  it('reference_strength is read as 1 - x, with one warning a place', () => {
    const sheet = parse(sheetWith('    seeds: [1, 2, 3]\n    image: a.png\n    reference_strength: 0.7\n'))
    expect(sheet.cues[0]!.variants[2]!.settings.denoiseStrength).toBe(0.3)
    expect(sheet.warnings).toEqual([
      {
        code: 'W_REFERENCE_STRENGTH',
        message: 'reference_strength is deprecated: 0.7 is read as denoise_strength 0.3.',
        location: { file: 'shows/cues.yaml', line: 11, column: 5 },
      },
    ])
  })

  it('both strengths at one level are a fault; a nearer level wins over a farther one', () => {
    const both = '    denoise_strength: 0.4\n    reference_strength: 0.2\n'
    expect(outline(faultsOf(sheetWith(`${SEED}    image: a.png\n${both}`)))).toEqual([
      '12:5 E_STRENGTH_TWICE',
    ])
    const levels = sheetWith(
      `${SEED}    image: a.png\n    denoise_strength: 0.4\n`,
      'defaults: { reference_strength: 0.2 }\n',
    )
    expect(settingsOf(levels).denoiseStrength).toBe(0.4)
  })

  it('strength, fit and exact_copy_mode need an image, unless they wait in defaults', () => {
    const text = sheetWith(`${SEED}    denoise_strength: 0.4\n    exact_copy_mode: true\n    fit: cover\n`)
    expect(outline(faultsOf(text))).toEqual(['10:23 E_NO_IMAGE', '11:22 E_NO_IMAGE', '12:10 E_NO_IMAGE'])
    expect(parse(sheetWith(SEED, 'defaults: { denoise_strength: 0.4, fit: cover }\n')).cues).toHaveLength(1)
    expect(parse(sheetWith(`${SEED}    exact_copy_mode: false\n`)).cues).toHaveLength(1)
  })
})

describe('storage and callback', () => {
  const faultOf = (rest: string) => outline(faultsOf(sheetWith(SEED, rest)))

  it('a bucket is needed and is one name', () => {
    expect(faultOf('storage: { region: auto }\n')).toEqual(['2:1 E_MISSING_KEY'])
    expect(faultOf('storage: { bucket: a/b }\n')).toEqual(['2:20 E_BAD_BUCKET'])
    expect(parse(sheetWith(SEED, 'storage: null\n')).storage).toBeNull()
  })

  it.each([
    ['http://s3.example', 'E_INSECURE_ENDPOINT'],
    ['ftp://s3.example', 'E_ENDPOINT_INVALID'],
    ['s3.example', 'E_ENDPOINT_INVALID'],
    ['https://user:secret@s3.example', 'E_ENDPOINT_INVALID'],
    ['http://localhost.example', 'E_INSECURE_ENDPOINT'],
    ['https://s3.example', 'sound'],
    ['http://localhost:9000', 'sound'],
    ['http://127.0.0.1:9000', 'sound'],
    ['http://[::1]:9000', 'sound'],
    ['http://x.localhost:9000', 'sound'],
    ['https://s3.example/', 'sound'],
    ['https://s3.example/b', 'E_ENDPOINT_INVALID'],
    ['https://s3.example/b/shows/', 'E_ENDPOINT_INVALID'],
    ['https://s3.example/storage/v1/s3', 'E_ENDPOINT_INVALID'],
    ['https://b.s3.eu-west-1.amazonaws.com', 'E_ENDPOINT_INVALID'],
    ['http://b.localhost:9000', 'E_ENDPOINT_INVALID'],
    ['https://bb.s3.example', 'sound'],
  ])('endpoint %s: %s', (endpoint, verdict) => {
    const text = sheetWith(SEED, `storage: { bucket: b, endpoint: "${endpoint}" }\n`)
    if (verdict === 'sound') expect(parse(text).storage!.endpoint).toBe(endpoint)
    else expect(outline(faultsOf(text))).toEqual([`2:33 ${verdict}`])
  })

  it("an endpoint with the bucket's name is told the right form", () => {
    const help = (endpoint: string, rest = '') =>
      faultsOf(sheetWith(SEED, `storage: { bucket: show, endpoint: "${endpoint}"${rest} }\n`))[0]?.help
    expect(help('http://127.0.0.1:5577/show')).toContain('"endpoint: http://127.0.0.1:5577"')
    expect(help('https://s3.example/show/a/b')).toContain('"endpoint: https://s3.example" and "prefix: a/b"')
    expect(help('https://show.acc.r2.cloudflarestorage.com')).toContain(
      'https://acc.r2.cloudflarestorage.com',
    )
    const meant = 'storage: { bucket: show, endpoint: "https://show.example", force_path_style: true }\n'
    expect(parse(sheetWith(SEED, meant)).storage?.endpoint).toBe('https://show.example')
  })

  it('other addresses are checked alike', () => {
    expect(faultOf('storage: { bucket: b, public_url: http://a.b }\n')).toEqual(['2:35 E_BAD_PUBLIC_URL'])
    expect(faultOf('storage: { bucket: b, prefix: a/../b }\n')).toEqual(['2:31 E_BAD_PREFIX'])
    expect(faultOf('callback: http://a.b\n')).toEqual(['2:11 E_CALLBACK_URL'])
    expect(faultOf('callback: { url: x }\n')).toEqual(['2:18 E_CALLBACK_URL'])
    expect(faultOf('storage: { bucket: b, concurrency: 0 }\n')).toEqual(['2:36 E_BAD_VALUE'])
    expect(faultOf('callback: { url: https://a.b, on: units }\n')).toEqual(['2:35 E_BAD_VALUE'])
    const map = parse(
      sheetWith(SEED, 'callback: { url: https://a.b, on: unit, secret_env: PREGEN_S, job_id: j }\n'),
    )
    expect(map.callback).toMatchObject({ url: 'https://a.b', on: 'unit', secretEnv: 'PREGEN_S', jobId: 'j' })
  })
})

it('aliases stand for what they name, and faults in them are placed there', () => {
  const text = `version: v\nprograms: { P1: {} }\ncues:\n  a: &a { program: P1, prompt: x, seeds: [1], steps: 3 }\n  b: *a\n`
  expect(parse(text).cues.map(({ variants }) => variants[0]!.settings.steps)).toEqual([3, 3])
  expect(outline(faultsOf(text.replace('steps: 3', 'steps: 0')))).toEqual([
    '4:54 E_BAD_STEPS',
    '4:54 E_BAD_STEPS',
  ])
})

it('a byte order mark and Windows line ends are no matter', () => {
  const sheet = parse(`\ufeff${sheetWith(SEED).replaceAll('\n', '\r\n')}`)
  expect(sheet.version).toBe('v1')
  expect(outline(faultsOf(`\ufeff${sheetWith(`${SEED}    stpes: 1\n`).replaceAll('\n', '\r\n')}`))).toEqual([
    '10:5 E_UNKNOWN_KEY',
  ])
})

describe('a model of the hub', () => {
  const sheetOf = (model: string) => sheetWith('    seeds: [1]\n', `models: { m: ${model} }\n`)
  it('is kept as written, without a folder', () => {
    const { m } = parse(sheetOf('{ hub: someone/tiny@v1 }')).models
    expect(m).toMatchObject({ hub: 'someone/tiny@v1', path: '', embedded: false })
  })

  it('has a hub or a path, not both and not neither', () => {
    expect(() => parse(sheetOf('{ hub: a/b, path: c }'))).toThrow('models.m has both a path and a hub')
    expect(() => parse(sheetOf('{ provider: cpu }'))).toThrow('models.m.path is missing')
  })
})
