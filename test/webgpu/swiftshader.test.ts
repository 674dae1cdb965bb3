import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { eventOf, parseEvents, runCli } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

// Debian's chromium brings a Vulkan driver that computes on the CPU: the WebGPU provider's own code, without a GPU.
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json'
const model = join(import.meta.dirname, '../fixtures/oracle/models/sd3-tiny')

const sheet = `
version: gpu
models: { tiny: ${model} }
defaults: { model: tiny, width: 64, height: 64, steps: 2, guidance_scale: 5 }
programs: { P1: { previews: { method: full, every: 2 } } }
cues: { fox: { program: P1, prompt: a small fox, seeds: [1] } }
`

describe('the WebGPU provider', () => {
  it('draws what the CPU draws', { timeout: 240_000 }, async () => {
    await expect(readFile(SWIFTSHADER, 'utf8'), 'install Debian chromium and libvulkan1').resolves.toContain(
      'ICD',
    )
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'cues.yaml'), sheet)

    const draw = async (provider: string) => {
      const args = [
        'run',
        'cues.yaml',
        '--dry-run',
        '--out',
        provider,
        '--provider',
        provider,
        '--format',
        'ndjson',
      ]
      const { code, stdout, stderr } = await runCli(args, {
        cwd: folder,
        env: { VK_ICD_FILENAMES: SWIFTSHADER },
      })
      expect(code, stderr).toBe(0)
      expect(eventOf(parseEvents(stdout), 'run-finished')).toMatchObject({ provider, done: 1 })
      return await sharp(join(folder, provider, 'foigoi/gpu/cues/fox/seed-1/final.png'))
        .raw()
        .toBuffer()
    }
    const [cpu, gpu] = [await draw('cpu'), await draw('webgpu')]

    expect(gpu.length).toBe(cpu.length)
    const differences = cpu.map((value, at) => Math.abs(value - gpu[at]!))
    expect(Math.max(...differences)).toBeLessThanOrEqual(1)
    expect(differences.filter((difference) => difference > 0).length / cpu.length).toBeLessThan(0.005)
  })

  it('is never replaced in silence', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'cues.yaml'), sheet)
    const { code, stderr } = await runCli(['run', 'cues.yaml', '--dry-run', '--provider', 'webgpu'], {
      cwd: folder,
      env: { VK_ICD_FILENAMES: '/nonexistent.json' },
    })
    expect(code).toBe(2)
    expect(stderr).toMatch(/E_PROVIDER_UNAVAILABLE/)
  })

  it('says before anything loads that it has no half precision', async () => {
    const folder = await temporaryFolder()
    const half = join(folder, 'half')
    for (const part of ['models/sd15-tiny', 'extra/models/sd15-fp16']) {
      await cp(join(import.meta.dirname, '../fixtures/oracle', part), half, { recursive: true })
    }
    await writeFile(join(folder, 'cues.yaml'), sheet.replace(model, half))
    const args = ['run', 'cues.yaml', '--dry-run', '--provider', 'webgpu', '--format', 'ndjson']
    const { code, stdout, stderr } = await runCli(args, {
      cwd: folder,
      env: { VK_ICD_FILENAMES: SWIFTSHADER },
    })
    expect([code, parseEvents(stdout).map(({ type }) => type)]).toEqual([2, ['run-planned']])
    expect(stderr).toMatch(/E_PROVIDER_NO_HALF[\s\S]+fp32 export/)
  })
})
