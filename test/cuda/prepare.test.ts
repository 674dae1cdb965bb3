import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findDriver } from '../../src/cuda/driver.ts'
import { providerFolder, writeRecord } from '../../src/cuda/installed.ts'
import { type PrepareCudaOptions, prepareCuda } from '../../src/cuda/prepare.ts'
import { needsOfCuda, PROVIDER_LIBRARIES } from '../../src/cuda/releases.ts'
import { temporaryFolder } from '../support/temp.ts'

const LIBRARIES = Object.keys(needsOfCuda(13)?.libraries ?? {})

/** A machine with the provider, and with all of CUDA's libraries but some. */
async function machineWith({ installed = true, without = [] as readonly string[] } = {}) {
  const folder = await temporaryFolder()
  const runtimeFolder = join(folder, 'runtime')
  const cacheDir = join(folder, 'cache')
  const cuda = join(folder, 'cuda')
  await mkdir(runtimeFolder)
  await mkdir(cuda)
  for (const name of LIBRARIES.filter((one) => !without.includes(one))) await writeFile(join(cuda, name), '')
  const own = providerFolder(cacheDir, '1.30.0')
  if (installed) {
    await mkdir(own, { recursive: true })
    const record = { version: '1.30.0', cudaMajor: 13, commit: null, wheel: 'w.whl', sizeBytes: 1 }
    for (const name of PROVIDER_LIBRARIES) await writeFile(join(own, name), '')
    await writeRecord(own, { provider: 'cuda', ...record })
  }
  const options: PrepareCudaOptions = {
    ...{ cacheDir, runtimeFolder, version: '1.30.0', env: { LD_LIBRARY_PATH: '/opt/own' } },
    platform: 'linux-x64',
    driver: () => ({ version: '580.95.05' }),
    search: { systemFolders: [cuda], readCommand: async () => '' },
  }
  return { options, own, cuda, runtimeFolder }
}

describe('what a process needs for CUDA', () => {
  it('is the provider first, then the libraries, then what the user had', async () => {
    const { options, own, cuda } = await machineWith()
    expect(await prepareCuda(options)).toEqual({
      libraryPath: `${own}:${cuda}:/opt/own`,
      library: join(own, 'libonnxruntime_providers_cuda.so'),
      problem: null,
    })
  })

  it.each<[string, Partial<PrepareCudaOptions>, string, RegExp]>([
    ['no driver', { driver: () => null }, 'no NVIDIA driver is installed', /install its driver/],
    [
      'an old driver',
      { driver: () => ({ version: '550.54.15' }) },
      'the NVIDIA driver 550.54.15 is too old: CUDA 13 needs 580.65.06 or newer',
      /Update the driver/,
    ],
    [
      'another system',
      { platform: 'darwin-arm64' },
      'onnxruntime-node has no CUDA for darwin-arm64',
      /coreml/,
    ],
  ])('is named where there is %s', async (_what, changes, problem, help) => {
    const { options } = await machineWith()
    expect((await prepareCuda({ ...options, ...changes })).problem).toEqual({
      problem,
      help: expect.stringMatching(help),
    })
  })

  it('is a library, with the command that brings it', async () => {
    const { options } = await machineWith({ without: ['libcudnn.so.9'] })
    expect((await prepareCuda(options)).problem).toEqual({
      problem: 'libcudnn.so.9 of CUDA 13 is nowhere to be found',
      help: 'Run: pregen providers install cuda --with-libraries   or: pip install nvidia-cudnn-cu13',
    })
  })

  it('is the provider, where a driver is and the provider is not', async () => {
    const { options } = await machineWith({ installed: false })
    expect((await prepareCuda(options)).problem?.help).toBe('Run: pregen providers install cuda')
    expect((await prepareCuda({ ...options, driver: () => null })).problem?.problem).toBe(
      'no NVIDIA driver is installed',
    )
  })

  it("leaves the provider of onnxruntime-node's own script where it is", async () => {
    const { options, runtimeFolder } = await machineWith({ installed: false })
    const library = join(runtimeFolder, 'libonnxruntime_providers_cuda.so')
    await writeFile(library, '')
    expect(await prepareCuda(options)).toEqual({ libraryPath: null, library, problem: null })
  })
})

it('reads the driver from the kernel, and knows that of WSL', async () => {
  const folder = await temporaryFolder()
  const kernel = join(folder, 'version')
  const wsl = join(folder, 'libcuda.so.1')
  expect(findDriver({ kernel, wsl })).toBeNull()
  await writeFile(wsl, '')
  expect(findDriver({ kernel, wsl })).toEqual({ version: null })
  await writeFile(
    kernel,
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build\nGCC version: 12.2.0\n',
  )
  expect(findDriver({ kernel, wsl })).toEqual({ version: '580.95.05' })
})
