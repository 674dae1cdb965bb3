/** The files of deploy/, and the jobs that their systems make of them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { packageRoot } from '../support/cli.ts'

export const deployed = (name: string) => readFileSync(join(packageRoot, 'deploy', name), 'utf8')

const words = z.array(z.string())
const env = z.array(z.object({ name: z.string(), value: z.string() }))
const rule = z.looseObject({
  action: z.string(),
  onExitCodes: z.looseObject({ values: z.array(z.int()) }).optional(),
  onPodConditions: z.array(z.looseObject({ type: z.string() })).optional(),
})
const container = z.looseObject({ command: words, env: env.default([]) })
const template = z.looseObject({
  spec: z.looseObject({ terminationGracePeriodSeconds: z.int(), containers: z.tuple([container]) }),
})

export const kubernetesJob = z
  .looseObject({
    spec: z.looseObject({
      ...{ completions: z.int(), podReplacementPolicy: z.string(), backoffLimitPerIndex: z.int() },
      ...{ podFailurePolicy: z.object({ rules: z.array(rule) }), template },
    }),
  })
  .parse(parse(deployed('kubernetes-indexed-job.yaml'))).spec
export const kubernetesWorkers = z
  .looseObject({ spec: z.looseObject({ template }) })
  .parse(parse(deployed('kubernetes-workers.yaml'))).spec
export const awsBatch = z
  .looseObject({
    containerProperties: z.looseObject({ command: words }),
    retryStrategy: z.looseObject({
      evaluateOnExit: z.array(
        z.object({
          onExitCode: z.string().optional(),
          onStatusReason: z.string().optional(),
          onReason: z.string().optional(),
          action: z.enum(['EXIT', 'RETRY']),
        }),
      ),
    }),
  })
  .parse(JSON.parse(deployed('aws-batch.json')))
const github = z
  .looseObject({
    jobs: z.object({
      draw: z.looseObject({
        strategy: z.looseObject({ matrix: z.object({ shard: z.array(z.int()) }) }),
        steps: z.array(z.looseObject({ run: z.string().optional() })),
      }),
    }),
  })
  .parse(parse(deployed('github-actions.yml'))).jobs.draw
const gitlab = z
  .looseObject({ show: z.looseObject({ parallel: z.int(), script: words }) })
  .parse(parse(deployed('gitlab-ci.yml'))).show
const skypilot = z.looseObject({ run: z.string() }).parse(parse(deployed('skypilot.yaml')))
const [, first = '', last = ''] = /--array=(\d+)-(\d+)$/m.exec(deployed('slurm.sh')) ?? []
const [, arraySize = ''] = /--array-properties size=(\d+)/.exec(deployed('README.md')) ?? []

export interface Job {
  readonly script: string
  readonly env: Readonly<Record<string, string>>
}

export interface System {
  readonly shards: number
  /** @param index from 0 */
  readonly job: (index: number) => Job
}

const [pod] = kubernetesJob.template.spec.containers
const shardsOfGithub = github.strategy.matrix.shard

/** Each with the variables that it sets. */
export const SYSTEMS: Readonly<Record<string, System>> = {
  kubernetes: {
    shards: kubernetesJob.completions,
    job: (index) => ({
      script: pod.command.join(' '),
      env: {
        ...Object.fromEntries(pod.env.map(({ name, value }) => [name, value])),
        JOB_COMPLETION_INDEX: String(index),
      },
    }),
  },
  'aws-batch': {
    shards: Number(arraySize),
    job: (index) => ({
      script: awsBatch.containerProperties.command.join(' '),
      env: { AWS_BATCH_JOB_ARRAY_INDEX: String(index), AWS_BATCH_JOB_ARRAY_SIZE: arraySize },
    }),
  },
  slurm: {
    shards: Number(last) - Number(first) + 1,
    job: (index) => ({
      script: deployed('slurm.sh'),
      env: {
        SLURM_ARRAY_TASK_ID: String(Number(first) + index),
        SLURM_ARRAY_TASK_COUNT: String(Number(last) - Number(first) + 1),
        ...{ SLURM_ARRAY_TASK_MIN: first, SLURM_ARRAY_TASK_MAX: last, SLURM_ARRAY_TASK_STEP: '1' },
      },
    }),
  },
  'github-actions': {
    shards: shardsOfGithub.length,
    job: (index) => ({
      script: github.steps
        .flatMap(({ run = '' }) => (run.startsWith('pregen') ? [run] : []))
        .join('\n')
        .replaceAll(`\${{ matrix.shard }}`, String(shardsOfGithub[index]))
        .replaceAll(`\${{ strategy.job-total }}`, String(shardsOfGithub.length)),
      env: { CI: 'true', GITHUB_ACTIONS: 'true' },
    }),
  },
  'gitlab-ci': {
    shards: gitlab.parallel,
    job: (index) => ({
      script: gitlab.script.join('\n'),
      env: {
        ...{ CI: 'true', GITLAB_CI: 'true' },
        ...{ CI_NODE_INDEX: String(index + 1), CI_NODE_TOTAL: String(gitlab.parallel) },
      },
    }),
  },
  // One machine, and after it another with an empty disk.
  skypilot: { shards: 1, job: () => ({ script: skypilot.run, env: { SKYPILOT_NUM_NODES: '1' } }) },
}
