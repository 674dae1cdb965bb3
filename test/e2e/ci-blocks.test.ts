/** The blocks of docs/ci.md, run as they stand there, with the variables that each system sets. */
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { createS3Storage } from '../../src/storage/s3.ts'
import { packageRoot, pregenBin } from '../support/cli.ts'
import { type MotoServer, startMoto, TEST_CREDENTIALS } from '../support/moto.ts'
import { BUCKET_ENV, tinySheet, writeSheet } from '../support/runs.ts'
import { createScratch } from '../support/scratch.ts'

const page = readFileSync(join(packageRoot, 'docs/ci.md'), 'utf8')

/** The block under a heading. */
function blockOf(heading: string): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))
  const block = /^```\w+\n([\s\S]*?)^```$/m.exec(section ?? '')?.[1]
  if (block === undefined) throw new Error(`docs/ci.md has no block under "${heading}"`)
  return block
}

const words = z.array(z.string())
const github = z
  .object({
    jobs: z.object({
      show: z.looseObject({
        strategy: z.looseObject({ matrix: z.object({ shard: z.array(z.int()) }) }),
        steps: z.array(z.looseObject({ run: z.string().optional() })),
      }),
    }),
  })
  .parse(parse(blockOf('GitHub Actions'))).jobs.show
const gitlab = z
  .object({ show: z.looseObject({ parallel: z.int(), script: words, retry: z.looseObject({}) }) })
  .parse(parse(blockOf('GitLab'))).show
const rule = z.looseObject({
  action: z.string(),
  onExitCodes: z.looseObject({ operator: z.literal('In'), values: z.array(z.int()) }).optional(),
  onPodConditions: z.array(z.looseObject({ type: z.string() })).optional(),
})
const kubernetes = z
  .looseObject({
    spec: z.looseObject({
      completions: z.int(),
      podFailurePolicy: z.object({ rules: z.array(rule) }),
      template: z.looseObject({
        spec: z.looseObject({
          restartPolicy: z.literal('Never'),
          containers: z.tuple([
            z.looseObject({
              command: words,
              env: z.array(z.object({ name: z.string(), value: z.string() })),
            }),
          ]),
        }),
      }),
    }),
  })
  .parse(parse(blockOf('Kubernetes'))).spec
const [container] = kubernetes.template.spec.containers
const exitRule = z.object({
  onExitCode: z.string().optional(),
  onStatusReason: z.string().optional(),
  onReason: z.string().optional(),
  action: z.enum(['EXIT', 'RETRY']),
})
const awsBatch = z
  .looseObject({
    containerProperties: z.looseObject({ command: words }),
    retryStrategy: z.looseObject({ evaluateOnExit: z.array(exitRule) }),
  })
  .parse(JSON.parse(blockOf('AWS Batch')))
const slurm = blockOf('SLURM')
const [, first = '', last = ''] = /--array=(\d+)-(\d+)/.exec(slurm) ?? []
const TOTAL = 3

interface Job {
  readonly script: string
  readonly env: Readonly<Record<string, string>>
}

/** Jobs of each system, as it starts them. `index` counts from 0. */
const SYSTEMS: Readonly<Record<string, (index: number) => Job>> = {
  'GitHub Actions': (index) => ({
    script: github.steps
      .flatMap(({ run = '' }) => (run.startsWith('pregen') ? [run] : []))
      .join('\n')
      .replaceAll(`\${{ matrix.shard }}`, String(github.strategy.matrix.shard[index]))
      .replaceAll(`\${{ strategy.job-total }}`, String(github.strategy.matrix.shard.length)),
    env: { CI: 'true', GITHUB_ACTIONS: 'true' },
  }),
  GitLab: (index) => ({
    script: gitlab.script.join('\n'),
    env: {
      ...{ CI: 'true', GITLAB_CI: 'true' },
      ...{ CI_NODE_INDEX: String(index + 1), CI_NODE_TOTAL: String(gitlab.parallel) },
    },
  }),
  Kubernetes: (index) => ({
    script: container.command.join(' '),
    env: {
      ...Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
      JOB_COMPLETION_INDEX: String(index),
    },
  }),
  'AWS Batch': (index) => ({
    script: awsBatch.containerProperties.command.join(' '),
    env: {
      AWS_BATCH_JOB_ARRAY_INDEX: String(index),
      AWS_BATCH_JOB_ARRAY_SIZE: /--array-properties size=(\d+)/.exec(page)?.[1] ?? '',
    },
  }),
  SLURM: (index) => ({
    script: slurm,
    env: {
      SLURM_ARRAY_TASK_ID: String(Number(first) + index),
      SLURM_ARRAY_TASK_COUNT: String(Number(last) - Number(first) + 1),
      ...{ SLURM_ARRAY_TASK_MIN: first, SLURM_ARRAY_TASK_MAX: last, SLURM_ARRAY_TASK_STEP: '1' },
    },
  }),
}

const scratch = createScratch()
const bin = join(scratch.folder, 'bin')
let moto: MotoServer
let sheet: string

beforeAll(async () => {
  moto = await startMoto()
  mkdirSync(bin)
  writeFileSync(join(bin, 'pregen'), `#!/bin/sh\nexec "${process.execPath}" "${pregenBin}" "$@"\n`)
  chmodSync(join(bin, 'pregen'), 0o755)
  const seeds = [1, 2, 3, 4, 5, 6, 7]
  const show = { programs: { P0: {} }, cues: { sea: { program: 'P0', prompt: 'sea', seeds } } }
  sheet = await writeSheet(
    scratch.folder,
    tinySheet({ ...show, storage: { bucket: `\${PREGEN_BUCKET}` } }),
    'cues.yaml',
  )
}, 600_000)
afterAll(() => moto.stop())

/** A machine that has the sheet and nothing else; `/out` of a container lies in its folder. */
function runJob({ script, env }: Job, folder: string, bucket: string) {
  mkdirSync(folder, { recursive: true })
  const child = spawn('bash', ['-ec', script.replaceAll('/out', join(folder, 'out'))], {
    cwd: folder,
    env: {
      ...{ ...BUCKET_ENV, PATH: `${bin}:${process.env.PATH}`, HOME: folder, PREGEN_BUCKET: bucket },
      ...{ AWS_ENDPOINT_URL_S3: moto.endpoint, AWS_EC2_METADATA_DISABLED: 'true', ...env },
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return new Promise<{ code: number | null; stderr: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stderr }))
  })
}

describe.each(Object.entries(SYSTEMS))('%s', (name, jobOf) => {
  const bucket = name.toLowerCase().replaceAll(' ', '-')

  it('draws each unit of the sheet in one of its jobs, and the bucket ends with all', async () => {
    await moto.createBucket(bucket)
    const drawn: number[] = []
    for (let index = 0; index < TOTAL; index++) {
      const folder = join(scratch.folder, bucket, String(index))
      mkdirSync(folder, { recursive: true })
      cpSync(sheet, join(folder, 'cues.yaml'))
      const { code, stderr } = await runJob(jobOf(index), folder, bucket)
      expect([code, stderr]).toEqual([0, expect.stringContaining(`shard ${index + 1}/${TOTAL}`)])
      // Never a silent part: who did not ask for a shard is told of it.
      expect(stderr.includes('W_SHARD_AUTOMATIC')).toBe(name !== 'GitHub Actions')
      drawn.push(Number(/(\d+) done/.exec(stderr)?.[1]))
    }
    expect(drawn).toEqual([3, 2, 2])
    const store = createS3Storage({ bucket, endpoint: moto.endpoint, credentials: TEST_CREDENTIALS })
    const text = Buffer.from((await store.get('foigoi/v1/manifest.json')) ?? []).toString('utf8')
    await store.close()
    expect(parseManifest(text, 'manifest.json').assets).toHaveLength(7)
  }, 180_000)

  it('ends with 2 for a sheet that is wrong', async () => {
    const folder = join(scratch.folder, bucket, 'wrong')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'cues.yaml'), 'version: v1\ncues: nothing\n')
    expect((await runJob(jobOf(0), folder, bucket)).code).toBe(2)
  }, 60_000)
})

describe('what a system does with an exit code', () => {
  it('Kubernetes: 2 ends the index, 3 counts, 75 and a node that went away do not', () => {
    const { rules } = kubernetes.podFailurePolicy
    const actionOf = (code: number) =>
      rules.find(({ onExitCodes }) => onExitCodes?.values.includes(code))?.action ?? 'Count'
    expect([1, 2, 3, 75, 143].map(actionOf)).toEqual(['Count', 'FailIndex', 'Count', 'Ignore', 'Count'])
    expect(
      rules.find(({ onPodConditions }) => onPodConditions?.[0]?.type === 'DisruptionTarget'),
    ).toMatchObject({
      action: 'Ignore',
    })
  })

  it('AWS Batch: 2 ends, 3, 75 and a spot machine that went away are tried again', () => {
    const fits = (pattern: string | undefined, text: string) =>
      pattern === undefined ||
      (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern)
    const actionOf = (code: string, statusReason = 'Essential container in task exited') =>
      awsBatch.retryStrategy.evaluateOnExit.find(
        ({ onExitCode, onStatusReason }) => fits(onExitCode, code) && fits(onStatusReason, statusReason),
      )?.action
    expect(['1', '2', '3', '75'].map((code) => actionOf(code))).toEqual(['EXIT', 'EXIT', 'RETRY', 'RETRY'])
    expect(actionOf('', 'Host EC2 (instance i-0123) terminated.')).toBe('RETRY')
  })

  it('GitLab: 3 and 75 are tried again, 2 is not', () => {
    expect(gitlab.retry).toMatchObject({ max: 2, exit_codes: [3, 75] })
  })
})
