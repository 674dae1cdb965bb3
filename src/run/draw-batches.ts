/** One device's share of a model's pictures: it takes batches from the queue of all until none is left. */
import { setImmediate as turn } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Device, OpenedModel } from '../engine/device.ts'
import type { EncodedPrompt } from '../engine/inference-calls.ts'
import type { PregenError } from '../errors.ts'
import { groupIntoBatches } from '../plan/batches.ts'
import type { Unit } from '../plan/unit.ts'
import { createBatchQueue } from './batch-queue.ts'
import { batchOf, createBatchSizes } from './batch-sizes.ts'
import { type Drawing, lifeOf, type ModelWork } from './drawing.ts'
import { generateBatch } from './generate-batch.ts'
import type { PreparedUnit } from './prepared.ts'
import { promptJobOf } from './prompt-key.ts'
import type { Prompts } from './prompts.ts'
import type { UnitLife } from './unit-life.ts'
import { createWarmUp } from './warm-up.ts'

// One in the device's hands and one behind it: a unit's end and the next one's start leave no gap.
const QUEUED_BATCHES = 2
// Units of a device whose files are still being written while others are drawn; beyond it the device waits.
const OPEN_BATCHES = 5
// Of units that others could draw, none waits here but the next one.
const OPEN_FED_BATCHES = 3
// A unit whose drawing killed its device twice is not tried a third time.
const MAX_BEGINNINGS = 2

/** A model where it is loaded. */
export type OpenedOn = { readonly device: Device; readonly opened: OpenedModel }

export async function drawBatches(
  drawing: Drawing,
  work: ModelWork,
  { device, opened }: OpenedOn,
  prompts: Prompts,
): Promise<void> {
  const { ending } = drawing
  const { units, lives, feed } = work
  const tokensOf = ({ unit }: PreparedUnit) => prompts.known.get(promptJobOf(unit).key)?.tokens ?? 0
  const mostOf = (unit: Unit) => batchOf(drawing.options, work.model, unit)
  work.queue ??= createBatchQueue(groupIntoBatches(units, tokensOf, mostOf))
  const { queue } = work
  const sizes = work.sizes.get(device) ?? createBatchSizes(drawing, work, opened)
  // A process that died of a call that was too large is followed by one that knows.
  work.sizes.set(device, sizes)
  const open = pLimit(feed === null ? OPEN_BATCHES : OPEN_FED_BATCHES)
  const queued = pLimit(QUEUED_BATCHES)
  const warmUp = createWarmUp(opened, drawing.services.emit)

  const drawBatch = async (batch: readonly UnitLife[]): Promise<void> => {
    const drawn = await queued(() => generateBatch(opened, batch, { ...drawing, warmUp }))
    sizes.note(
      batch.map(({ entry }) => entry),
      drawn,
    )
    if (drawn.type === 'pictures') {
      device.resetDeaths()
      const finish = (life: UnitLife, place: number) => {
        const picture = drawn.pictures[place]
        if (!picture) throw new Error(`a batch of ${batch.length} gave ${drawn.pictures.length} pictures`)
        return life.finish(picture, prompts.claimMs(life), batch.length)
      }
      await Promise.all(batch.map(finish))
    } else if (drawn.type === 'cancelled') {
      await Promise.all(batch.map((life) => life.abandon()))
    } else if (drawn.type === 'died') {
      const again = await Promise.all(batch.map((life) => giveBackOrFail(life, drawn.death)))
      queue.giveBack(batch.flatMap(({ entry }, place) => (again[place] ? [entry] : [])))
    } else if (batch.length > 1) {
      // One picture's NaN, or memory for several at once, must not cost the neighbours theirs.
      for (const life of batch) {
        await life.giveBack('drawn alone, because its batch failed')
        await drawBatch([life])
      }
    } else {
      for (const life of batch) await life.fail('generate', drawn.reason)
    }
  }

  // Started one after the other, so that units are drawn in the order of the sheet.
  const inWork: Promise<void>[] = []
  for (;;) {
    await belowLimit(open)
    // How large the next call is to be hangs on the one in hand.
    if (sizes.isOpen()) await Promise.all(inWork)
    const batch = ending.aborted ? null : await queue.take(sizes.most)
    if (batch === null) break
    // Without a worker nothing can be drawn: what earlier runs left of the rest is not touched.
    if (ending.aborted || opened.death() !== null) {
      queue.giveBack(batch)
      queue.settle()
      break
    }
    const made = batch.map((entry) => lifeOf(drawing, work, entry))
    try {
      await prompts.ready(batch)
    } catch (error) {
      queue.giveBack(batch)
      queue.settle()
      await Promise.all(inWork)
      throw error
    }
    const [own = [], ...others] = feed === null ? [batch] : groupIntoBatches(batch, tokensOf, mostOf)
    queue.giveBack(others.flat())
    const ready: UnitLife[] = []
    for (const life of made.filter(({ entry }) => own.includes(entry))) {
      if (await isDrawable(life, prompts.known, opened)) ready.push(life)
    }
    const settle = () => {
      for (const entry of own) {
        const state = lives.get(entry)?.state() ?? 'queued'
        if (state === 'queued') continue
        lives.delete(entry)
        if (state !== 'drawing') feed?.settled(entry, state)
      }
      queue.settle()
    }
    if (ready.length > 0) {
      inWork.push(open(() => drawBatch(ready)).finally(settle))
      // The device is asked before the next units are made ready, which is work that does not yield.
      await turn()
    } else settle()
  }
  await Promise.all(inWork)
}

/** false: the unit has failed by now, or waits for another run after a stop. */
async function isDrawable(
  life: UnitLife,
  prompts: ReadonlyMap<string, EncodedPrompt>,
  opened: OpenedModel,
): Promise<boolean> {
  const prompt = prompts.get(promptJobOf(life.entry.unit).key)
  if (prompt?.error) await life.fail('text encode', prompt.error)
  if (!prompt || prompt.error) return false
  return await life.prepare(opened.provider)
}

async function giveBackOrFail(life: UnitLife, death: PregenError): Promise<boolean> {
  if (life.state() === 'drawing' && life.beginnings() >= MAX_BEGINNINGS) {
    await life.fail('generate', death)
    return false
  }
  await life.giveBack(`drawn again, because ${death.message}`)
  return true
}

/** Waits until the limiter would start another task at once. */
async function belowLimit(limit: LimitFunction): Promise<void> {
  // A task of our own gets its turn exactly when there is room.
  await limit(() => undefined)
}
