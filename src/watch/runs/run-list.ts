/** All runs of an output folder, followed: the one account that `jobs`, `status`, the queue and the server share. */
import { type Confinement, confine } from '../../artifacts/confinement.ts'
import { PregenError } from '../../errors.ts'
import { RunFollower } from './follow-run.ts'
import { isRunId, listRunIds } from './run-folder.ts'
import { isRunAlive, readRunRecord } from './run-record.ts'
import {
  describeRun,
  type RunStatusJson,
  type RunSummaryJson,
  runSummaryJson,
  type StatusInput,
  stateName,
} from './run-status.ts'

export type RunUrls = (id: string) => StatusInput['urls']

export class RunList {
  readonly out: string
  readonly inside: Confinement
  readonly #urls: RunUrls
  readonly #followers = new Map<string, RunFollower>()

  /** @param out an existing output folder */
  constructor(out: string, urls: RunUrls = () => undefined) {
    this.inside = confine(out)
    this.out = this.inside.out
    this.#urls = urls
  }

  /** Ids, the oldest first. */
  ids(): readonly string[] {
    return listRunIds(this.inside)
  }

  /**
   * The newest that is at work, else the newest of all; null without any.
   * @param command only runs that do this
   */
  async newest(command?: RunStatusJson['command']): Promise<string | null> {
    let newest: string | null = null
    for (const id of this.ids().toReversed()) {
      const input = await this.#look(id, 0)
      if (input === null || (command !== undefined && input.record.command !== command)) continue
      if (stateName(input) === 'running') return id
      newest ??= id
    }
    return newest
  }

  follower(id: string): RunFollower {
    const follower = this.#followers.get(id) ?? new RunFollower(this.inside, id)
    this.#followers.set(id, follower)
    return follower
  }

  /** Every run, the newest first. */
  async summaries(): Promise<readonly RunSummaryJson[]> {
    const inputs = await this.#lookAtAll()
    return inputs.map(runSummaryJson).reverse()
  }

  /** @returns null for an id that is not there */
  async status(id: string): Promise<RunStatusJson | null> {
    const input = (await this.#lookAtAll(id)).find(({ record }) => record.id === id)
    return input === undefined ? null : describeRun(input)
  }

  /** Whether there is such a run. */
  async has(id: string): Promise<boolean> {
    return isRunId(id) && (await readRunRecord(this.inside, id)) !== null
  }

  /** Runs that were submitted before one, and have not ended: they go first. */
  async ahead(id: string): Promise<readonly string[]> {
    const going: string[] = []
    for (const other of this.ids()) {
      if (other >= id) break
      const input = await this.#look(other, 0)
      if (input !== null && isGoing(input)) going.push(other)
    }
    return going
  }

  async isOver(id: string): Promise<boolean> {
    const input = await this.#look(id, 0)
    return input === null || !isGoing(input)
  }

  async #lookAtAll(until?: string): Promise<StatusInput[]> {
    const inputs: StatusInput[] = []
    let ahead = 0
    for (const id of this.ids()) {
      const input = await this.#look(id, ahead, id === until)
      if (input === null) continue
      inputs.push(input)
      if (stateName(input) === 'queued') ahead += 1
      if (id === until) break
    }
    return inputs
  }

  /** @param isFull whether each unit is asked for */
  async #look(id: string, ahead: number, isFull = false): Promise<StatusInput | null> {
    const record = await readRunRecord(this.inside, id)
    if (record === null) return null
    const follower = this.follower(id)
    // Of a run that has ended, the record says all that a list needs.
    if (isFull || record.exitCode === null || record.result === null) await follower.update()
    const isEnded = record.exitCode !== null || follower.state.end !== null
    const isAlive = !isEnded && (await isRunAlive(record, follower.movedAtMs))
    const { state } = follower
    return { record, state, out: this.out, isAlive, ahead, urls: this.#urls(id) }
  }
}

function isGoing(input: StatusInput): boolean {
  const name = stateName(input)
  return name === 'queued' || name === 'running'
}

/**
 * The run that a command means.
 * @param id a run's id or the beginning of one; undefined: the newest
 * @throws PregenError `E_NO_RUN`
 */
export async function findRun(runs: RunList, id: string | undefined): Promise<string> {
  if (id === undefined) {
    const newest = await runs.newest()
    if (newest !== null) return newest
    throw new PregenError('E_NO_RUN', `${runs.out} has seen no run yet.`, {
      help: 'Start one: pregen run cues.yaml --detach. Or name another folder with --out.',
    })
  }
  const found = runs
    .ids()
    .filter((known) => known === id || (id.length >= 4 && (known.startsWith(id) || known.endsWith(id))))
  if (found.length === 1) return found[0]!
  throw new PregenError(
    'E_NO_RUN',
    `${runs.out} has ${found.length === 0 ? 'no run' : 'several runs'} ${JSON.stringify(id)}.`,
    {
      help: '"pregen jobs" lists them.',
    },
  )
}
