import { describe, expect, it } from 'vitest'
import { parseShard, shardFromEnv, shardUnits } from '../../src/plan/shard.ts'
import fc from '../support/seed.ts'

const names = (count: number) => Array.from({ length: count }, (_, i) => `unit-${i}`)

describe('shardUnits', () => {
  it('for 1 to 64 shards: disjoint, complete, level and in order', () => {
    for (let total = 1; total <= 64; total++) {
      for (const count of [0, 1, total - 1, total, total + 1, 257]) {
        const units = names(count)
        const shards = Array.from({ length: total }, (_, i) => shardUnits(units, { index: i + 1, total }))
        expect(shards.flat().sort()).toEqual([...units].sort())
        const sizes = shards.map((shard) => shard.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        for (const shard of shards) expect(shard).toEqual(units.filter((unit) => shard.includes(unit)))
      }
    }
  })

  it('units added at the end move no other', () => {
    const sizes = fc.tuple(fc.integer({ min: 1, max: 64 }), fc.nat(300), fc.nat(50))
    fc.assert(
      fc.property(sizes, ([total, count, added]) => {
        for (let index = 1; index <= total; index++) {
          const before = shardUnits(names(count), { index, total })
          const after = shardUnits(names(count + added), { index, total })
          expect(after.slice(0, before.length)).toEqual(before)
        }
      }),
      { numRuns: 50 },
    )
  })
})

describe('parseShard', () => {
  it('counts from 1', () => {
    expect(parseShard('2/5')).toEqual({ index: 2, total: 5 })
    expect(parseShard(' 1/1 ')).toEqual({ index: 1, total: 1 })
  })

  it.each(['0/4', '5/4', '1/0', '0/0', '', '3', '1/2/3', 'a/b', '-1/4', '1.5/4', '1/1e3', '1/100001'])(
    '%j is refused',
    (text) => {
      expect(() => parseShard(text)).toThrow(expect.objectContaining({ code: 'E_BAD_SHARD', exitCode: 2 }))
    },
  )
})

describe('shardFromEnv', () => {
  it.each([
    ['nothing', {}, undefined, null],
    [
      'Kubernetes with our variable',
      { JOB_COMPLETION_INDEX: '0', PREGEN_SHARD_TOTAL: '4' },
      undefined,
      '1/4',
    ],
    ['Kubernetes with --shard-total', { JOB_COMPLETION_INDEX: '3' }, 4, '4/4'],
    ['--shard-total wins', { JOB_COMPLETION_INDEX: '3', PREGEN_SHARD_TOTAL: '9' }, 4, '4/4'],
    ['AWS Batch', { AWS_BATCH_JOB_ARRAY_INDEX: '2', AWS_BATCH_JOB_ARRAY_SIZE: '3' }, undefined, '3/3'],
    ['AWS Batch without its size', { AWS_BATCH_JOB_ARRAY_INDEX: '2' }, 5, '3/5'],
    [
      'Slurm from 0',
      { SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '0' },
      undefined,
      '3/3',
    ],
    [
      'Slurm from 1',
      { SLURM_ARRAY_TASK_ID: '1', SLURM_ARRAY_TASK_COUNT: '3', SLURM_ARRAY_TASK_MIN: '1' },
      undefined,
      '1/3',
    ],
    [
      'Slurm in steps',
      {
        SLURM_ARRAY_TASK_ID: '30',
        SLURM_ARRAY_TASK_COUNT: '5',
        SLURM_ARRAY_TASK_MIN: '10',
        SLURM_ARRAY_TASK_STEP: '10',
      },
      undefined,
      '3/5',
    ],
    ['GitLab', { CI_NODE_INDEX: '2', CI_NODE_TOTAL: '5' }, undefined, '2/5'],
    ['GitLab without parallel', { CI_NODE_TOTAL: '1' }, undefined, null],
    ['an empty index', { JOB_COMPLETION_INDEX: '' }, undefined, null],
  ])('%s', (_, env, total, expected) => {
    const shard = shardFromEnv(env, total)
    expect(shard && `${shard.index}/${shard.total}`).toBe(expected)
  })

  it('an index without a total is a fault that says what to set', () => {
    expect(() => shardFromEnv({ JOB_COMPLETION_INDEX: '0' })).toThrow(
      expect.objectContaining({ code: 'E_SHARD_TOTAL', help: expect.stringContaining('PREGEN_SHARD_TOTAL') }),
    )
  })

  it.each([
    [{ JOB_COMPLETION_INDEX: '4', PREGEN_SHARD_TOTAL: '4' }],
    [{ JOB_COMPLETION_INDEX: '0', PREGEN_SHARD_TOTAL: '0' }],
    [{ JOB_COMPLETION_INDEX: 'x', PREGEN_SHARD_TOTAL: '4' }],
    [{ CI_NODE_INDEX: '0', CI_NODE_TOTAL: '4' }],
    [{ CI_NODE_INDEX: '5', CI_NODE_TOTAL: '4' }],
    [
      {
        SLURM_ARRAY_TASK_ID: '15',
        SLURM_ARRAY_TASK_COUNT: '5',
        SLURM_ARRAY_TASK_MIN: '10',
        SLURM_ARRAY_TASK_STEP: '10',
      },
    ],
  ])('%j is refused', (env) => {
    expect(() => shardFromEnv(env)).toThrow(expect.objectContaining({ code: 'E_BAD_SHARD' }))
  })
})
