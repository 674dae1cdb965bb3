import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findLibraries } from '../../src/cuda/find-libraries.ts'
import { type InstallOptions, installCuda } from '../../src/cuda/install.ts'
import {
  cudaEnvironment,
  installedProvider,
  librariesFolder,
  listInstalled,
  removeInstalled,
} from '../../src/cuda/installed.ts'
import { type CudaMachine, inspectMachine } from '../../src/cuda/machine.ts'
import { temporaryFolder } from '../support/temp.ts'
import {
  type FakeWheel,
  type IndexBehaviour,
  libraryWheel,
  providerWheel,
  startIndex,
} from './package-index.ts'

const H100: CudaMachine = {
  driver: '580.95.05',
  cards: [{ name: 'NVIDIA H100', computeCapability: '9.0', memoryMib: 81_559 }],
}

async function optionsFor(changes: Partial<InstallOptions> = {}, machine: CudaMachine | null = H100) {
  const folder = await temporaryFolder()
  const runtimeFolder = join(folder, 'runtime')
  await mkdir(runtimeFolder)
  await writeFile(join(runtimeFolder, 'libonnxruntime.so.1'), 'xx git-commit-id=abc123456, yy')
  const options: InstallOptions = {
    cacheDir: join(folder, 'cache'),
    version: '1.30.0',
    runtimeFolder,
    env: {},
    withLibraries: false,
    withoutCard: false,
    fetch,
    onProgress: () => undefined,
    platform: 'linux-x64',
    search: { systemFolders: [], readCommand: async () => '' },
    inspect: async () =>
      machine === null
        ? { machine: null, problem: 'no NVIDIA driver is installed (there is no nvidia-smi)' }
        : { machine, problem: null },
    ...changes,
  }
  return { options, folder }
}

async function serve(wheels: readonly FakeWheel[], behaviour?: IndexBehaviour) {
  const index = await startIndex(wheels, behaviour)
  onTestFinished(() => index.close())
  return index
}

describe('installing from an index', () => {
  it('takes the two libraries of the very version, and keeps no wheel', async () => {
    const index = await serve([providerWheel(), providerWheel({ version: '1.31.0' })])
    const progress: string[] = []
    const { options } = await optionsFor({
      env: { PIP_INDEX_URL: index.url },
      onProgress: (file, bytes, total) => progress.push(`${file} ${bytes === total}`),
    })
    const { provider, machine } = await installCuda(options)
    expect(provider).toMatchObject({ version: '1.30.0', cudaMajor: 13, commit: 'abc123456' })
    expect(machine?.cards[0]?.name).toBe('NVIDIA H100')
    expect((await readdir(provider.folder)).sort()).toEqual([
      'libonnxruntime_providers_cuda.so',
      'libonnxruntime_providers_shared.so',
      'provider.json',
    ])
    expect(await readdir(join(options.cacheDir, 'wheels'))).toEqual([])
    expect(progress.at(-1)).toBe('onnxruntime_gpu-1.30.0-cp312-cp312-manylinux_2_28_x86_64.whl true')
    expect(await installedProvider(options.cacheDir, '1.30.0')).toEqual(provider)

    const asked = index.requests.length
    await installCuda(options)
    expect(index.requests).toHaveLength(asked)
    expect(await removeInstalled(options.cacheDir)).toEqual([provider])
    expect(await listInstalled(options.cacheDir)).toEqual([])
  })

  it('goes on where it was cut off', async () => {
    const wheel = providerWheel()
    const index = await serve([wheel], { cut: { times: 3, afterBytes: 70_000 } })
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } })
    await installCuda(options)
    const ranges = index.requests.filter((request) => request.startsWith('/files/'))
    expect(ranges).toHaveLength(4)
    expect(ranges.slice(1).every((request) => / bytes=[1-9]\d*-$/.test(request))).toBe(true)
  })

  it('goes on in the next call too', async () => {
    const wheel = providerWheel()
    const dead = await serve([wheel], { cut: { times: 1000, afterBytes: 0 } })
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: dead.url } })
    await expect(installCuda(options)).rejects.toMatchObject({ code: 'E_DOWNLOAD_FAILED' })
    expect(await listInstalled(options.cacheDir)).toEqual([])
    const wheels = join(options.cacheDir, 'wheels')
    await writeFile(join(wheels, `${wheel.filename}.part`), wheel.bytes.subarray(0, 1000))
    const index = await serve([wheel])
    await installCuda({ ...options, env: { PIP_INDEX_URL: index.url } })
    expect(index.requests.at(-1)).toBe(`/files/${wheel.filename} bytes=1000-`)
  })

  it.each<[string, IndexBehaviour, FakeWheel[], string]>([
    ['another sha-256', { lie: true }, [providerWheel()], 'E_DOWNLOAD_DAMAGED'],
    ['no such version', {}, [providerWheel({ version: '1.29.0' })], 'E_WHEEL_NOT_FOUND'],
    ['another commit', {}, [providerWheel({ commit: '999999999' })], 'E_WHEEL_MISMATCH'],
    ['a CUDA that nobody knows', {}, [providerWheel({ cuda: '14.0' })], 'E_PROVIDER_UNSUPPORTED'],
    ['an index that is down', { status: 503 }, [], 'E_INDEX_UNREACHABLE'],
  ])('refuses %s and leaves nothing behind', async (_what, behaviour, wheels, code) => {
    const index = await serve(wheels, behaviour)
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } })
    await expect(installCuda(options)).rejects.toMatchObject({ code, exitCode: 2 })
    expect(await listInstalled(options.cacheDir)).toEqual([])
    const providers = join(options.cacheDir, 'providers')
    expect(existsSync(providers) ? await readdir(providers) : []).toEqual([])
  })

  it('is one at a time in a cache, and follows one that was killed', async () => {
    const index = await serve([providerWheel()], { cut: { times: 2, afterBytes: 70_000 } })
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } })
    const both = await Promise.allSettled([installCuda(options), installCuda(options)])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const refused = both.find((one) => one.status === 'rejected')
    expect(refused?.reason).toMatchObject({ code: 'E_PROVIDER_BUSY', exitCode: 2 })
    expect(await listInstalled(options.cacheDir)).toHaveLength(1)
    // A process that is no more; one of another machine is given an hour.
    const lock = join(options.cacheDir, 'providers.lock')
    const { pid } = spawnSync('true')
    await writeFile(lock, `${pid} ${hostname()}\n`)
    await installCuda(options)
    expect(existsSync(lock)).toBe(false)
    await writeFile(lock, '1 elsewhere\n')
    await expect(installCuda(options)).rejects.toMatchObject({ code: 'E_PROVIDER_BUSY' })
  })

  it('is done again where a library has gone, and clears up what a killed one left', async () => {
    const index = await serve([providerWheel()])
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } })
    const { provider } = await installCuda(options)
    await rm(join(provider.folder, 'libonnxruntime_providers_shared.so'))
    expect(await listInstalled(options.cacheDir)).toEqual([])
    const providers = join(options.cacheDir, 'providers')
    for (const [name, age] of [['.cuda-killed', 2 * 3_600_000] as const, ['.cuda-busy', 0] as const]) {
      await mkdir(join(providers, name))
      const time = new Date(Date.now() - age)
      await utimes(join(providers, name), time, time)
    }
    await installCuda(options)
    expect((await readdir(providers)).sort()).toEqual(['.cuda-busy', 'cuda-1.30.0'])
    expect(await listInstalled(options.cacheDir)).toHaveLength(1)
  })

  it('says no user name or password of a mirror', async () => {
    const index = await serve([], { status: 404 })
    const secret = index.url.replace('://', '://someone:hunter2@')
    const { options } = await optionsFor({
      env: { PIP_INDEX_URL: secret },
      fetch: (url, init) => fetch(url.replace('someone:hunter2@', ''), init),
    })
    const failure = await installCuda(options).catch((error: Error) => error)
    expect(failure).toMatchObject({ code: 'E_INDEX_UNREACHABLE' })
    expect(String(failure)).not.toContain('hunter2')
  })

  it('fetches the libraries of CUDA that are nowhere on request', async () => {
    const wheels = [
      providerWheel(),
      libraryWheel('nvidia-cublas', '13.2.0', ['libcublas.so.13', 'libcublasLt.so.13']),
      libraryWheel('nvidia-curand', '10.4.0', ['libcurand.so.10']),
      libraryWheel('nvidia-cuda-runtime', '13.0.96', ['libcudart.so.13']),
      libraryWheel('nvidia-cuda-nvrtc', '13.0.88', ['libnvrtc.so.13']),
      libraryWheel('nvidia-cudnn-cu13', '9.9.0', ['libcudnn.so.9']),
      libraryWheel('nvidia-cudnn-cu13', '9.14.0', ['libcudnn.so.9', 'libcudnn_ops.so.9']),
    ]
    const index = await serve(wheels)
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url }, withLibraries: true })
    const { missing, provider } = await installCuda(options)
    expect(missing).toEqual([])
    // The newest release, by its numbers and not its letters.
    const own = librariesFolder(options.cacheDir, 13)
    expect(existsSync(join(own, 'libcudnn_ops.so.9'))).toBe(true)
    const { libraryPath } = await cudaEnvironment(provider, options.runtimeFolder, {
      cacheDir: options.cacheDir,
      env: {},
    })
    expect(libraryPath.split(':').slice(0, 2)).toEqual([provider.folder, own])
    expect(await readlink(join(provider.folder, 'libonnxruntime.so.1'))).toBe(
      join(options.runtimeFolder, 'libonnxruntime.so.1'),
    )
  })
})

describe('installing from a folder', () => {
  it('takes the wheel of this version, and leaves the folder as it was', async () => {
    const { options, folder } = await optionsFor()
    const from = join(folder, 'wheels')
    await mkdir(from)
    for (const { filename, bytes } of [providerWheel(), providerWheel({ version: '1.29.0' })]) {
      await writeFile(join(from, filename), bytes)
    }
    const offline = () => Promise.reject(new Error('there is no network'))
    await installCuda({ ...options, from, fetch: offline })
    expect(await readdir(from)).toHaveLength(2)
    await removeInstalled(options.cacheDir)
    await installCuda({ ...options, from: join(from, providerWheel().filename), fetch: offline })
    await expect(installCuda({ ...options, version: '1.28.0', from, fetch: offline })).rejects.toMatchObject({
      code: 'E_WHEEL_NOT_FOUND',
      help: expect.stringContaining('pip download'),
    })
  })

  it('refuses a wheel that is half there', async () => {
    const { options, folder } = await optionsFor()
    const { filename, bytes } = providerWheel()
    await writeFile(join(folder, filename), bytes.subarray(0, 100_000))
    await expect(installCuda({ ...options, from: join(folder, filename) })).rejects.toMatchObject({
      code: 'E_WHEEL_INVALID',
    })
  })

  it('refuses a wheel that lacks a library', async () => {
    const { options, folder } = await optionsFor()
    const { bytes } = libraryWheel('nvidia-cublas', '13.2.0', ['libcublas.so.13'])
    await writeFile(join(folder, providerWheel().filename), bytes)
    await expect(installCuda({ ...options, from: folder })).rejects.toMatchObject({
      code: 'E_WHEEL_INVALID',
      message: expect.stringContaining(
        'libonnxruntime_providers_cuda.so and libonnxruntime_providers_shared.so',
      ),
    })
  })
})

describe('a machine that CUDA cannot run on', () => {
  const card = (changes: Partial<CudaMachine['cards'][number]>): CudaMachine => ({
    ...H100,
    cards: [{ ...H100.cards[0]!, ...changes }],
  })
  it.each<[string, CudaMachine | null, string, string]>([
    ['no driver', null, 'E_CUDA_DRIVER', 'no NVIDIA driver is installed'],
    [
      'an old driver',
      { ...H100, driver: '550.54.15' },
      'E_CUDA_DRIVER',
      'The NVIDIA driver 550.54.15 is too old: CUDA 13 needs 580.65.06 or newer.',
    ],
    [
      'an old card',
      card({ name: 'Tesla V100', computeCapability: '7.0' }),
      'E_CUDA_CARD',
      'Tesla V100 (compute capability 7.0) is too old',
    ],
  ])('with %s is told so before anything is fetched', async (_what, machine, code, words) => {
    const index = await serve([providerWheel()])
    const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } }, machine)
    await expect(installCuda(options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    })
    expect(index.requests).toEqual([])
    await installCuda({ ...options, withoutCard: true })
    expect(await listInstalled(options.cacheDir)).toHaveLength(1)
  })

  it('is no Linux x64', async () => {
    const { options } = await optionsFor({ platform: 'darwin-arm64' })
    await expect(installCuda(options)).rejects.toMatchObject({ code: 'E_PROVIDER_UNSUPPORTED' })
  })
})

it('a full disk is told as such, and what arrived is kept', async () => {
  const index = await serve([providerWheel()])
  const { options } = await optionsFor({ env: { PIP_INDEX_URL: index.url } })
  const wheels = join(options.cacheDir, 'wheels')
  await mkdir(wheels, { recursive: true })
  // A device that is always full.
  await symlink('/dev/full', join(wheels, `${providerWheel().filename}.part`))
  await expect(installCuda(options)).rejects.toMatchObject({ code: 'E_DISK_FULL' })
})

it('looks for libraries where Python, conda and the loader have them', async () => {
  const folder = await temporaryFolder()
  const put = async (path: string) => {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), '')
    return join(folder, path, '..')
  }
  const cublas = await put('site/nvidia/cu13/lib/libcublas.so.13')
  const curand = await put('conda/lib/libcurand.so.10')
  const readCommand = async (command: string) =>
    command === 'ldconfig'
      ? '\tlibcudart.so.13 (libc6,x86-64) => /opt/cuda/libcudart.so.13\n'
      : `${join(folder, 'site')}\n`
  const names = ['libcublas.so.13', 'libcurand.so.10', 'libcudart.so.13', 'libcudnn.so.9']
  const env = { CONDA_PREFIX: join(folder, 'conda') }
  expect(await findLibraries(names, { env, ownFolders: [], systemFolders: [], readCommand })).toEqual({
    folders: [cublas, curand],
    missing: ['libcudnn.so.9'],
  })
})

it('asks nvidia-smi, and reads what it says', async () => {
  const folder = await temporaryFolder()
  const smi = join(folder, 'nvidia-smi')
  const script = async (text: string) => {
    await writeFile(smi, `#!/bin/sh\n${text}\n`)
    await chmod(smi, 0o755)
  }
  await script(
    'echo "580.95.05, 9.0, 81559, NVIDIA H100 80GB HBM3"; echo "580.95.05, 8.6, 24576, NVIDIA RTX A5000"',
  )
  expect((await inspectMachine(smi)).machine?.cards.map(({ name }) => name)).toEqual([
    'NVIDIA H100 80GB HBM3',
    'NVIDIA RTX A5000',
  ])
  await script(
    'echo "NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver."; exit 9',
  )
  expect(await inspectMachine(smi)).toEqual({
    machine: null,
    problem:
      'the NVIDIA driver does not answer: NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.',
  })
  await script('true')
  expect((await inspectMachine(smi)).problem).toBe('the NVIDIA driver sees no card')
  expect((await inspectMachine(join(folder, 'none'))).problem).toContain('no NVIDIA driver is installed')
})
