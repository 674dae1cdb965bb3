import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { packageRoot, runCli } from '../support/cli.ts'
import { TINY_SD15 } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const BACKDROP = join(packageRoot, 'models/backdrop')

function r2Of(stdout: string, name: string): number {
  return Number(new RegExp(`^${name} +R² (-?[\\d.]+)  PSNR -?[\\d.]+ dB`, 'm').exec(stdout)?.[1])
}

describe('pregen models calibrate', () => {
  it('fits the map to the model, beside the published one and the decoder, and shows a strip', async () => {
    const folder = await temporaryFolder()
    const out = join(folder, 'preview.json')
    const prompts = join(folder, 'prompts.txt')
    await writeFile(prompts, 'misty mountains at dawn\n\na city skyline at night, stars\nsea at dusk\n')
    const options = ['--prompts', prompts, '--pictures', '4', '--steps', '8', '--guidance-scale', '3']
    const result = await runCli(['models', 'calibrate', BACKDROP, '--out', out, ...options])
    expect([result.code, result.stderr]).toEqual([0, [1, 2, 3, 4].map((n) => `picture ${n} of 4\n`).join('')])
    const { stdout } = result
    // SD3's published factors are for a VAE with as many channels: they fit nothing here.
    expect(r2Of(stdout, 'fitted')).toBeGreaterThan(r2Of(stdout, 'published') + 0.5)
    expect(r2Of(stdout, 'preview_decoder')).toBeGreaterThan(0.9)

    const { factors, bias } = JSON.parse(await readFile(out, 'utf8'))
    expect([factors.length, factors[0].length, bias.length]).toEqual([16, 3, 3])
    const strip = await sharp(join(folder, 'preview-strip.png')).metadata()
    expect([strip.format, strip.width! > 0 && strip.height! > 0]).toEqual(['png', true])
  })

  it('says what is wrong with a folder, a list of prompts or a number', async () => {
    const folder = await temporaryFolder()
    const empty = join(folder, 'empty.txt')
    await writeFile(empty, '\n')
    const out = ['--out', join(folder, 'preview.json')]
    const cases: readonly [readonly string[], number, string][] = [
      [[folder], 2, 'E_MODEL'],
      [[TINY_SD15.path, '--prompts', empty, ...out], 2, 'E_PROMPTS_FILE'],
      [[TINY_SD15.path, '--prompts', join(folder, 'none.txt'), ...out], 2, 'E_PROMPTS_FILE'],
      [[TINY_SD15.path, '--pictures', '1', ...out], 2, 'It must be 2 or more'],
      [[TINY_SD15.path, '--guidance-scale', 'much', ...out], 2, 'It must be a number from 0 up.'],
    ]
    for (const [args, code, message] of cases) {
      const result = await runCli(['models', 'calibrate', ...args])
      expect([args, result.code]).toEqual([args, code])
      expect(result.stderr).toContain(message)
      expect(result.stdout).toBe('')
    }
  })
})
