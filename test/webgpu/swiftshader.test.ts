import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { eventOf, parseEvents, runCli } from '../support/cli.ts'
import { DEFAULTS, filesBelow, tinySheet, writeSheet } from '../support/runs.ts'
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
  it('draws what the CPU draws, with previews of every method', { timeout: 600_000 }, async () => {
    await expect(readFile(SWIFTSHADER, 'utf8'), 'install Debian chromium and libvulkan1').resolves.toContain(
      'ICD',
    )
    const folder = await temporaryFolder()
    const names = ['latent2rgb', 'taesd', 'full']
    const drawn = tinySheet({
      // Compiling shaders is all that takes time here: one model, one size, one run.
      defaults: { ...DEFAULTS, steps: 2 },
      programs: Object.fromEntries(names.map((method) => [method, { previews: { method } }])),
      cues: Object.fromEntries(
        names.map((name) => [name, { program: name, prompt: 'a small fox', seeds: [7] }]),
      ),
    })
    const path = await writeSheet(folder, drawn)
    const draw = async (provider: string) => {
      const out = join(folder, provider)
      const args = ['run', path, '--dry-run', '--out', out, '--provider', provider, '--format', 'ndjson']
      const { code, stdout, stderr } = await runCli(args, { env: { VK_ICD_FILENAMES: SWIFTSHADER } })
      expect(code, stderr).toBe(0)
      const events = parseEvents(stdout)
      expect(eventOf(events, 'run-finished')).toMatchObject({ provider, done: names.length })
      // A decoder that failed would cost its preview and nothing else.
      expect(events.filter(({ type }) => type === 'preview-failed')).toEqual([])
      return out
    }
    const [cpu, gpu] = [await draw('cpu'), await draw('webgpu')]

    const pictures = (await filesBelow(cpu)).filter((file) => file.endsWith('.png'))
    // Two steps and the final of each.
    expect(pictures).toHaveLength(3 * names.length)
    for (const picture of pictures) {
      const [ours, theirs] = await Promise.all(
        [cpu, gpu].map((tree) => sharp(join(tree, picture)).raw().toBuffer()),
      )
      expect(theirs!.length, picture).toBe(ours!.length)
      const far = ours!.filter((value, at) => Math.abs(value - theirs![at]!) > 2).length
      expect(far / ours!.length, picture).toBeLessThanOrEqual(0.01)
      // Not two trees of grey.
      expect(new Set(ours!).size, picture).toBeGreaterThan(16)
    }
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
