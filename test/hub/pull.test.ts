import { existsSync } from 'node:fs'
import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findPulled } from '../../src/hub/find-pulled.ts'
import { type PullOptions, pullModel } from '../../src/hub/pull.ts'
import { hubCacheFolder, parseHubReference } from '../../src/hub/reference.ts'
import { packageRoot, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'
import { type HubBehaviour, type HubRepo, startHub } from './hub-server.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'
const weights = (seed: number) => Buffer.alloc(300_000, seed)
const FILES: HubRepo['files'] = {
  'model_index.json': Buffer.from('{"_class_name":"StableDiffusionPipeline"}'),
  'README.md': Buffer.from('# a model'),
  'preview.gif': Buffer.from('GIF89a'),
  'scheduler/scheduler_config.json': Buffer.from('{}'),
  'tokenizer/merges.txt': Buffer.from('#version'),
  'unet/config.json': Buffer.from('{"in_channels":4}'),
  'unet/model.onnx': weights(1),
  'unet/model.onnx_data': weights(2),
  'unet/model_fp16.onnx': weights(3),
  'unet/model_fp16.onnx_data': weights(4),
  'unet/diffusion_pytorch_model.safetensors': weights(5),
  'vae_decoder/model.onnx': weights(6),
  'safety_checker/model.onnx': weights(7),
}
const REPO: HubRepo = { name: 'someone/tiny-onnx', commit: COMMIT, refs: ['main', 'v1'], files: FILES }

async function hubFor(changes: Partial<HubRepo> = {}, behaviour: HubBehaviour = {}) {
  const hub = await startHub({ ...REPO, ...changes }, behaviour)
  onTestFinished(() => hub.close())
  const hubCache = join(await temporaryFolder(), 'hub')
  const pull = (name = REPO.name, more: Partial<PullOptions> = {}) =>
    pullModel({ reference: parseHubReference(name), hubCache, endpoint: hub.endpoint, fetch, ...more })
  return { hub, hubCache, pull }
}

describe('a pull', () => {
  it('takes what the model needs and lays it as the hub does', async () => {
    const { hub, hubCache, pull } = await hubFor({}, { pageSize: 5 })
    const { folder, commit } = await pull()
    expect(commit).toBe(COMMIT)
    expect(folder).toBe(join(hubCache, 'models--someone--tiny-onnx/snapshots', COMMIT))
    const found = (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isSymbolicLink())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    expect(found.sort()).toEqual([
      'README.md',
      'model_index.json',
      'scheduler/scheduler_config.json',
      'tokenizer/merges.txt',
      'unet/config.json',
      'unet/model.onnx',
      'unet/model.onnx_data',
      'vae_decoder/model.onnx',
    ])
    expect(await readlink(join(folder, 'unet/model.onnx'))).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/)
    expect(await readFile(join(folder, 'unet/model.onnx'))).toEqual(FILES['unet/model.onnx'])
    expect(await readFile(join(hubCache, 'models--someone--tiny-onnx/refs/main'), 'utf8')).toBe(COMMIT)
    expect(findPulled(parseHubReference(REPO.name), hubCache)).toBe(folder)
    expect(findPulled(parseHubReference(`${REPO.name}@${COMMIT}`), hubCache)).toBe(folder)

    const before = hub.requests.filter((request) => request.includes('/resolve/')).length
    await pull()
    expect(hub.requests.filter((request) => request.includes('/resolve/'))).toHaveLength(before)
  })

  it('takes the variant that is asked for, and only its data', async () => {
    const { pull } = await hubFor()
    const { folder } = await pull(`${REPO.name}@v1`, { variant: 'fp16' })
    expect((await readdir(join(folder, 'unet'))).sort()).toEqual([
      'config.json',
      'model_fp16.onnx',
      'model_fp16.onnx_data',
    ])
    expect(await readdir(join(folder, 'vae_decoder'))).toEqual(['model.onnx'])
    await expect(pull(REPO.name, { variant: 'int4' })).rejects.toMatchObject({
      code: 'E_HUB_NO_VARIANT',
      help: expect.stringContaining('model_fp16.onnx'),
    })
  })

  it('goes on where it was cut off', async () => {
    const { hub, pull } = await hubFor({}, { cut: { times: 2, afterBytes: 200_000 } })
    const { folder } = await pull()
    expect(await readFile(join(folder, 'unet/model.onnx'))).toEqual(FILES['unet/model.onnx'])
    expect(hub.requests.filter((request) => / bytes=[1-9]/.test(request)).length).toBeGreaterThanOrEqual(2)
  })

  it.each(['unet/model.onnx', 'unet/config.json'])(
    'refuses other bytes than the hub lists (%s)',
    async (spoil) => {
      const { pull, hubCache } = await hubFor({}, { spoil })
      await expect(pull()).rejects.toMatchObject({
        code: 'E_DOWNLOAD_DAMAGED',
        message: expect.stringContaining(spoil),
      })
      expect(existsSync(join(hubCache, 'models--someone--tiny-onnx/refs/main'))).toBe(false)
    },
  )

  it('sends the token to the hub, and to no other host that it leads to', async () => {
    const seen: string[] = []
    const spy: PullOptions['fetch'] = async (url, init) => {
      const headers = new Headers(init?.headers)
      seen.push(`${new URL(url).pathname} ${headers.get('authorization') ?? '-'}`)
      return fetch(url, init)
    }
    const { pull } = await hubFor({ token: 'hf_secret' })
    await expect(pull()).rejects.toMatchObject({
      code: 'E_HUB_DENIED',
      message: expect.stringContaining('needs a token'),
    })
    await pull(REPO.name, { token: 'hf_secret', fetch: spy })
    expect(seen.length).toBeGreaterThan(5)
    expect(seen.every((line) => line.endsWith(' Bearer hf_secret'))).toBe(true)
    await expect(pull(REPO.name, { token: 'hf_other' })).rejects.toMatchObject({ code: 'E_HUB_DENIED' })
  })

  it('says what is not there', async () => {
    const { pull, hubCache } = await hubFor()
    await expect(pull('someone/else')).rejects.toMatchObject({ code: 'E_HUB_MISSING' })
    await expect(pull(`${REPO.name}@v9`)).rejects.toMatchObject({ code: 'E_HUB_MISSING' })
    await expect(pull(REPO.name, { endpoint: 'http://127.0.0.1:9' })).rejects.toMatchObject({
      code: 'E_HUB_ANSWER',
    })
    expect(() => findPulled(parseHubReference('someone/else@v2'), hubCache)).toThrow(
      'someone/else@v2 is not on this machine.',
    )
    const { pull: pullTorch } = await hubFor({
      files: {
        'model_index.json': Buffer.from('{}'),
        'onnx/x.onnx': weights(1),
        'unet/model.safetensors': weights(2),
      },
    })
    await expect(pullTorch()).rejects.toMatchObject({
      code: 'E_HUB_NO_ONNX',
      help: 'It has .onnx files in: onnx.',
    })
  })

  it('follows no path out of its folder', async () => {
    const { pull, hubCache } = await hubFor({
      files: { ...FILES, 'unet/../../../../evil/model.onnx': weights(9), '../evil.json': Buffer.from('{}') },
    })
    await pull()
    expect(existsSync(join(hubCache, '..', 'evil'))).toBe(false)
    expect(existsSync(join(hubCache, 'models--someone--tiny-onnx', 'evil.json'))).toBe(false)
  })
})

describe('a reference', () => {
  it('is owner, name and perhaps a revision', () => {
    expect(parseHubReference('a/b')).toEqual({ repo: 'a/b', revision: 'main' })
    expect(parseHubReference('a/b@refs/pr/1')).toEqual({ repo: 'a/b', revision: 'refs/pr/1' })
    for (const text of [
      'a',
      'a/b/c',
      '../b',
      'a/..',
      'a/b@',
      'a/b@../x',
      'a b/c',
      '/a/b',
      'a/b@x@y',
      'a..b/c',
    ]) {
      expect(() => parseHubReference(text), text).toThrow('names no model of the hub')
    }
  })

  it('lies where the variables of the hub say', () => {
    expect(hubCacheFolder({}, '/home/me')).toBe('/home/me/.cache/huggingface/hub')
    expect(hubCacheFolder({ XDG_CACHE_HOME: '/c' }, '/home/me')).toBe('/c/huggingface/hub')
    expect(hubCacheFolder({ HF_HOME: '/hf', XDG_CACHE_HOME: '/c' }, '/home/me')).toBe('/hf/hub')
    expect(hubCacheFolder({ HF_HUB_CACHE: '/x', HF_HOME: '/hf' }, '/home/me')).toBe('/x')
  })
})

it('pregen models pull prints the folder, and a sheet that names the model draws with it', {
  timeout: 120_000,
}, async () => {
  const model = join(packageRoot, 'test/fixtures/oracle/models/sd15-tiny')
  const names = (await readdir(model, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  const files: Record<string, Buffer> = {}
  for (const entry of names) {
    const path = join(entry.parentPath, entry.name)
    files[path.slice(model.length + 1)] = await readFile(path)
  }
  const { hub, hubCache } = await hubFor({ files })
  const env = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: hubCache }
  const cwd = await temporaryFolder()
  await writeFile(
    join(cwd, 'cues.yaml'),
    [
      'version: v1',
      'models:',
      `  tiny: { hub: ${REPO.name}@v1 }`,
      'programs: { P0: {} }',
      'cues: { fox: { program: P0, prompt: a fox, seeds: [1] } }',
    ].join('\n'),
  )
  const before = await runCli(['plan', 'cues.yaml'], { cwd, env })
  expect(before.code).toBe(2)
  expect(before.stderr).toContain('cues.yaml:3:16  E_HUB_NOT_PULLED')
  expect(before.stderr).toContain(`Run: pregen models pull ${REPO.name}@v1`)

  const { code, stdout, stderr } = await runCli(['models', 'pull', `${REPO.name}@v1`], {
    cwd: packageRoot,
    env,
  })
  expect(code, stderr).toBe(0)
  const folder = stdout.trim()
  expect(folder).toBe(findPulled(parseHubReference(`${REPO.name}@v1`), hubCache))
  expect(await readFile(join(folder, 'unet/model.onnx'))).toEqual(files['unet/model.onnx'])
  const after = await runCli(['plan', 'cues.yaml', '--json'], { cwd, env })
  expect([after.code, JSON.parse(after.stdout).totals.run]).toEqual([0, 1])
  const drawn = await runCli(['run', 'cues.yaml'], { cwd, env })
  expect(drawn.code, drawn.stderr).toBe(0)
  expect(existsSync(join(cwd, 'out/foigoi/v1/cues/fox/seed-1/final.png'))).toBe(true)
})
