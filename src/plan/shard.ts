/** One part of a plan, so that several machines share a sheet without talking to each other. */
import { PregenError } from '../errors.ts'

/** Part `index` of `total`; both count from 1. */
export interface Shard {
  readonly index: number
  readonly total: number
}

/** A shard that nobody asked for by hand, and where it comes from. */
export interface FoundShard extends Shard {
  /** `CI_NODE_INDEX=1 and CI_NODE_TOTAL=2`. */
  readonly source: string
}

const MAX_SHARDS = 100_000

/** `2/5`. @throws PregenError E_BAD_SHARD */
export function parseShard(text: string): Shard {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text.trim())
  if (!match) throw badShard(`The shard is "${text}".`)
  return checkShard(Number(match[1]), Number(match[2]), `The shard is "${text}".`)
}

function checkShard(index: number, total: number, what: string): Shard {
  const inRange = Number.isInteger(index) && Number.isInteger(total) && index >= 1 && index <= total
  if (!inRange || total > MAX_SHARDS) throw badShard(what)
  return { index, total }
}

function badShard(what: string): PregenError {
  return new PregenError('E_BAD_SHARD', what, {
    help: 'Write part/parts, counted from 1: 1/5, 2/5, … 5/5.',
  })
}

/** Where batch systems put their numbers. `base` is the first index that they give. */
const BATCH_SYSTEMS = [
  { index: 'JOB_COMPLETION_INDEX', total: undefined, base: 0 },
  { index: 'AWS_BATCH_JOB_ARRAY_INDEX', total: 'AWS_BATCH_JOB_ARRAY_SIZE', base: 0 },
  { index: 'SLURM_ARRAY_TASK_ID', total: 'SLURM_ARRAY_TASK_COUNT', base: 0 },
  { index: 'CI_NODE_INDEX', total: 'CI_NODE_TOTAL', base: 1 },
] as const

/** For systems that tell a job its index and not how many there are. */
const OWN_TOTAL = 'PREGEN_SHARD_TOTAL'

/**
 * The shard that a batch system gives: Kubernetes' JOB_COMPLETION_INDEX, AWS Batch, Slurm, or GitLab's CI_NODE_INDEX.
 * @param total `--shard-total`; else PREGEN_SHARD_TOTAL, else the system's own variable
 * @returns null outside of all of them
 * @throws PregenError E_SHARD_TOTAL when the index is known and the total is not, E_BAD_SHARD when they do not fit
 */
export function shardFromEnv(
  env: Readonly<Record<string, string | undefined>>,
  total?: number,
): FoundShard | null {
  const system = BATCH_SYSTEMS.find(({ index }) => isSet(env[index]))
  if (system === undefined) return null
  const totalName = total !== undefined ? '--shard-total' : isSet(env[OWN_TOTAL]) ? OWN_TOTAL : system.total
  const totalText = total !== undefined ? String(total) : totalName === undefined ? undefined : env[totalName]
  if (totalName === undefined || !isSet(totalText)) {
    const message = `${system.index} is ${env[system.index]}, but nothing says how many shards there are.`
    throw new PregenError('E_SHARD_TOTAL', message, {
      help: `Set ${OWN_TOTAL}, or pass --shard-total or --shard.`,
    })
  }
  const what = `The shard comes from ${system.index}=${env[system.index]} and ${totalName}=${totalText}.`
  const raw = wholeNumber(env[system.index], what)
  const shards = wholeNumber(totalText, what)
  const shard = checkShard(
    system.index === 'SLURM_ARRAY_TASK_ID' ? slurmIndex(raw, env, what) : raw - system.base + 1,
    shards,
    what,
  )
  return { ...shard, source: `${system.index}=${env[system.index]} and ${totalName}=${totalText}` }
}

/** Slurm arrays may begin anywhere and go in steps: --array=10-50:10. */
function slurmIndex(id: number, env: Readonly<Record<string, string | undefined>>, what: string): number {
  const { SLURM_ARRAY_TASK_MIN: min, SLURM_ARRAY_TASK_STEP: step } = env
  const first = isSet(min) ? wholeNumber(min, what) : 0
  return (id - first) / (isSet(step) ? Math.max(1, wholeNumber(step, what)) : 1) + 1
}

function isSet(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}

function wholeNumber(text: string | undefined, what: string): number {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw badShard(what)
  return Number(text)
}

/**
 * The units of one shard, dealt like cards: unit k of the whole list goes to shard k mod total + 1. Shards are
 * disjoint and complete, differ by one unit at most, and do not move when units are added at the end. To hold
 * under `--cue` and the like, shard the whole list first and select afterwards.
 */
export function shardUnits<T>(units: readonly T[], { index, total }: Shard): readonly T[] {
  return units.filter((_, position) => position % total === index - 1)
}
