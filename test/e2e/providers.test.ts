import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { providerFolder, writeRecord } from '../../src/cuda/installed.ts'
import { PROVIDER_LIBRARIES } from '../../src/cuda/releases.ts'
import { findOnnxruntimeNode } from '../../src/model/onnxruntime-node.ts'
import { eventOf, parseEvents, runCli } from '../support/cli.ts'
import { tinySheet, writeSheet } from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

/** A cache with a CUDA provider in it that no machine can load. */
async function cacheWithProvider(folder: string): Promise<string> {
  const { version } = findOnnxruntimeNode()
  const own = providerFolder(join(folder, 'pregen'), version)
  await mkdir(own, { recursive: true })
  for (const name of PROVIDER_LIBRARIES) await writeFile(join(own, name), 'no library')
  const record = { version, cudaMajor: 13, commit: null, wheel: 'w.whl', sizeBytes: 10 }
  await writeRecord(own, { provider: 'cuda', ...record })
  return folder
}

describe('a CUDA provider that cannot run', () => {
  const sheet = tinySheet({
    programs: { P0: {} },
    cues: { fox: { program: 'P0', prompt: 'a fox', seeds: [1] } },
    defaults: { model: 'tiny', width: 64, height: 64, steps: 1 },
  })

  it('is one line and exit code 2 where it was asked for', async () => {
    const folder = await temporaryFolder()
    const path = await writeSheet(folder, sheet)
    const env = { XDG_CACHE_HOME: await cacheWithProvider(folder) }
    const asked = [
      'run',
      path,
      '--out',
      join(folder, 'out'),
      '--dry-run',
      '--format',
      'plain',
      '--provider',
      'cuda',
    ]
    const { code, stderr } = await runCli(asked, { env })
    expect(code).toBe(2)
    const [title = '', fault = '', help = '', ...more] = stderr.trim().split('\n').slice(1)
    expect(title).toBe('E_PROVIDER_UNAVAILABLE')
    expect(fault).toMatch(/Provider "cuda" does not work here: .+\.$/)
    expect(help).toMatch(/\S/)
    expect(more).toEqual([])
    expect(stderr).not.toMatch(/onnxruntime_src|ONNXRuntimeError/)
  })

  it('is passed over by auto, with its reason before the model is loaded', async () => {
    const folder = await temporaryFolder()
    const path = await writeSheet(folder, sheet)
    const env = { XDG_CACHE_HOME: await cacheWithProvider(folder) }
    const { code, stdout, stderr } = await runCli(
      ['run', path, '--out', join(folder, 'out'), '--dry-run', '--format', 'ndjson', '--threads', '1'],
      { env },
    )
    expect([code, stderr]).toEqual([0, ''])
    const events = parseEvents(stdout)
    const { passedOver, provider } = eventOf(events, 'provider-chosen')
    expect(provider).toBe('cpu')
    expect(passedOver).toEqual([expect.stringMatching(/^cuda: .+\. \S/)])
    const types = events.map(({ type }) => type)
    expect(types.indexOf('provider-chosen')).toBeLessThan(types.indexOf('model-loaded'))
  })

  it('is a finding of doctor, with the next step', async () => {
    const env = { XDG_CACHE_HOME: await cacheWithProvider(await temporaryFolder()) }
    const { code, stdout, stderr } = await runCli(['doctor', '--json'], { env })
    expect([code, stderr]).toEqual([0, ''])
    const findings: { name: string; works: boolean; help: string | null }[] = JSON.parse(stdout)
    const works = (name: string) => findings.find((one) => one.name === name)?.works
    expect([works('cpu'), works('cuda')]).toEqual([true, false])
    expect(findings.find(({ name }) => name === 'cuda')?.help).toMatch(/\S/)
  })
})
