/** Each file of deploy/ as its system reads it, and its command line as the system runs it. */
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectWholeManifest } from '../faults/bucket-is-enough.ts'
import { packageRoot, pregenBin } from '../support/cli.ts'
import { type MotoServer, startMoto } from '../support/moto.ts'
import { BUCKET_ENV, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'
import { runTool } from '../support/tools.ts'
import { awsBatch, deployed, type Job, kubernetesJob, kubernetesWorkers, SYSTEMS } from './systems.ts'

const at = (name: string) => join(packageRoot, 'deploy', name)
const script = (name: string) => join(import.meta.dirname, name)
const kubernetes = ['--strict', '-k', '1.31']

describe("a system's own schema or parser", () => {
  it.each<[string, string, readonly string[], string]>([
    ['Dockerfile', 'hadolint', ['-c', at('.hadolint.yaml'), at('Dockerfile')], ''],
    [
      'kubernetes-indexed-job.yaml',
      'kubernetes-validate',
      [...kubernetes, at('kubernetes-indexed-job.yaml')],
      '',
    ],
    ['kubernetes-workers.yaml', 'kubernetes-validate', [...kubernetes, at('kubernetes-workers.yaml')], ''],
    ['aws-batch.json', 'python', [script('check_aws_batch.py')], deployed('aws-batch.json')],
    ['slurm.sh', 'shellcheck', ['--enable=all', '--exclude=SC2312', at('slurm.sh')], ''],
    ['github-actions.yml', 'actionlint', [at('github-actions.yml')], ''],
    [
      ...(['gitlab-ci.yml', 'check-jsonschema'] as const),
      ...([['--builtin-schema', 'vendor.gitlab-ci', at('gitlab-ci.yml')], ''] as const),
    ],
    ['skypilot.yaml', 'python', [script('check_skypilot.py')], deployed('skypilot.yaml')],
  ])('takes %s', async (_, tool, args, input) => {
    const { code, output } = await runTool(tool, args, input)
    expect([code, code === 0 ? '' : output]).toEqual([0, ''])
  })

  it('would refuse what is wrong', async () => {
    const batch = deployed('aws-batch.json').replace('evaluateOnExit', 'evaluateAtExit')
    const sky = deployed('skypilot.yaml').replace('use_spot: true', 'use_spot: 3')
    const refused = await Promise.all([
      runTool('python', [script('check_aws_batch.py')], batch),
      runTool('python', [script('check_skypilot.py')], sky),
    ])
    expect(refused.map(({ code }) => code)).toEqual([1, 1])
    expect(refused[0]?.output).toContain('evaluateAtExit')
    expect(refused[1]?.output).toContain('3')
  })
})

describe('what a system does with an exit code', () => {
  it('Kubernetes: 2 ends the index, 3 counts, 75 and a node that went away do not', () => {
    const { podFailurePolicy, podReplacementPolicy, backoffLimitPerIndex, template } = kubernetesJob
    const actionOf = (code: number) =>
      podFailurePolicy.rules.find(({ onExitCodes }) => onExitCodes?.values.includes(code))?.action ?? 'Count'
    expect([1, 2, 3, 75].map(actionOf)).toEqual(['Count', 'FailIndex', 'Count', 'Ignore'])
    const gone = podFailurePolicy.rules.find(
      ({ onPodConditions }) => onPodConditions?.[0]?.type === 'DisruptionTarget',
    )
    expect(gone).toMatchObject({ action: 'Ignore' })
    expect([podReplacementPolicy, backoffLimitPerIndex]).toEqual(['Failed', 3])
    // More than our seven seconds.
    for (const { spec } of [template, kubernetesWorkers.template])
      expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(7)
  })

  it('AWS Batch: 2 ends, 3, 75 and a spot machine that went away are tried again, nothing else is', () => {
    const fits = (pattern: string | undefined, text: string) =>
      pattern === undefined ||
      (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern)
    const actionOf = (code: string, reason = 'Essential container in task exited') =>
      awsBatch.retryStrategy.evaluateOnExit.find(
        ({ onExitCode, onStatusReason }) => fits(onExitCode, code) && fits(onStatusReason, reason),
      )?.action
    expect(['1', '2', '3', '75', '143'].map((code) => actionOf(code))).toEqual([
      ...['EXIT', 'EXIT', 'RETRY', 'RETRY', 'RETRY'],
    ])
    expect(actionOf('', 'Host EC2 (instance i-0123) terminated.')).toBe('RETRY')
  })
})

const scratch = createScratch()
const bin = join(scratch.folder, 'bin')
const UNITS = 6
let moto: MotoServer
let sheet: string

beforeAll(async () => {
  moto = await startMoto()
  mkdirSync(bin)
  writeFileSync(join(bin, 'pregen'), `#!/bin/sh\nexec "${process.execPath}" "${pregenBin}" "$@"\n`)
  chmodSync(join(bin, 'pregen'), 0o755)
  const seeds = Array.from({ length: UNITS }, (_, seed) => seed)
  const show = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds } } }
  const storage = { bucket: `\${PREGEN_BUCKET}` }
  sheet = await writeSheet(scratch.folder, tinySheet({ ...show, storage }), 'cues.yaml')
}, 600_000)
afterAll(() => moto.stop())

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly text: string
}

/**
 * A machine that has the sheet and nothing else; `/out` of a container lies in its folder.
 * @param isKilled as soon as a unit is drawn, with all that it started, as a machine that goes away
 */
function runJob({ script, env }: Job, folder: string, bucket: string, isKilled = false): Promise<Ended> {
  mkdirSync(folder, { recursive: true })
  cpSync(sheet, join(folder, 'cues.yaml'))
  const child = spawn('bash', ['-ec', script.replaceAll('/out', join(folder, 'out'))], {
    cwd: folder,
    detached: true,
    env: {
      ...{ ...BUCKET_ENV, PATH: `${bin}:${process.env.PATH}`, HOME: folder, PREGEN_BUCKET: bucket },
      ...{ AWS_ENDPOINT_URL_S3: moto.endpoint, AWS_EC2_METADATA_DISABLED: 'true', ...env },
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (some: string) => {
      text += some
      if (isKilled && /sea\/seed-\d/.test(text) && child.pid !== undefined && child.exitCode === null)
        process.kill(-child.pid, 'SIGKILL')
    })
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, text }))
  })
}

describe.each(Object.entries(SYSTEMS))('%s', (name, { shards, job }) => {
  it('draws every unit once, its shards at once, though one is killed and started again', async () => {
    await moto.createBucket(name)
    const folder = (index: number, life: number) => join(scratch.folder, name, `${index}-${life}`)
    const indexes = Array.from({ length: shards }, (_, index) => index)
    const killed = shards - 1
    const first = await Promise.all(
      indexes.map((index) => runJob(job(index), folder(index, 0), name, index === killed)),
    )
    for (const [index, { code, signal, text }] of first.entries())
      if (index === killed) expect([index, signal]).toEqual([index, 'SIGKILL'])
      else expect([index, code, text]).toEqual([index, 0, expect.stringContaining(`${UNITS / shards} done`)])
    // On another machine, whose disk is empty.
    const again = await runJob(job(killed), folder(killed, 1), name)
    expect([again.code, again.text]).toEqual([0, expect.stringMatching(/\d+ done/)])
    await expectWholeManifest(moto, name, UNITS)
  }, 120_000)
})
