/** How many pictures a device takes from the queue for one call. */
import type { OpenedModel } from '../engine/device.ts'
import { PregenError } from '../errors.ts'
import { mostThatFits } from '../plan/memory.ts'
import type { Unit } from '../plan/unit.ts'
import { type BatchSize, type BatchSizes, createBatchSize, MAX_AUTO_BATCH } from './batch-size.ts'
import type { Drawing } from './drawing.ts'
import type { BatchOutcome } from './generate-batch.ts'
import { memoryOfMachine } from './memory-fit.ts'
import type { PreparedModel, PreparedUnit } from './prepared.ts'

const MIB = 2 ** 20

/** The most pictures a call that a unit allows, whatever the device. */
export function batchOf({ batch }: Drawing['options'], { facts }: PreparedModel, unit: Unit): number {
  if (batch === undefined) return unit.batch
  // The export has the number built in.
  if (facts.fixed?.rows != null) return 1
  return batch === 'auto' ? MAX_AUTO_BATCH : batch
}

/** Without `auto`, batches as they were made. */
const AS_MADE: BatchSizes = { most: (front) => front.length, isOpen: () => false, note: () => undefined }

/** Of one device. @param devices that share the queue */
export function createBatchSizes(
  drawing: Pick<Drawing, 'options' | 'services' | 'cardMemoryMib'>,
  { model, devices }: { readonly model: PreparedModel; readonly devices: number },
  opened: Pick<OpenedModel, 'provider' | 'device'>,
): BatchSizes {
  if (drawing.options.batch !== 'auto') return AS_MADE
  const { emit } = drawing.services
  const sizes = new Map<string, BatchSize>()
  const sizeOf = ({ unit }: PreparedUnit): BatchSize => {
    const shape = shapeOf(unit)
    const known = sizes.get(shape)
    if (known) return known
    const size = createBatchSize(limitOf(unit))
    sizes.set(shape, size)
    return size
  }
  const limitOf = (unit: Unit): number => {
    const { memory, video } = model.facts
    // Of a video there is no estimate.
    if (video !== undefined) return 1
    const isCpu = opened.provider === 'cpu'
    const bytes = isCpu ? memoryOfMachine() / devices : (drawing.cardMemoryMib ?? 0) * MIB
    if (memory === undefined) return isCpu ? 1 : MAX_AUTO_BATCH
    // A card of unknown size says itself when it is full.
    if (bytes === 0) return MAX_AUTO_BATCH
    return mostThatFits(memory, unit, isCpu ? 'cpu' : 'gpu', { bytes, upTo: MAX_AUTO_BATCH })
  }
  const isAnyOpen = () => [...sizes.values()].some((size) => size.isOpen())
  return {
    most(front, waiting) {
      const [first] = front
      if (first === undefined) return 0
      // The last pictures are for all devices.
      return Math.min(sizeOf(first).next(), Math.ceil(waiting / devices))
    },
    isOpen: isAnyOpen,
    note(batch, outcome) {
      const [first] = batch
      if (first === undefined) return
      const size = sizeOf(first)
      if (!size.isOpen()) return
      if (outcome.type === 'pictures') size.note(batch.length, outcome.pictures[0]?.stepDurationsMs ?? [])
      else if (outcome.type === 'died' || isForMemory(outcome)) size.fail(batch.length)
      if (size.isOpen()) return
      const { width, height } = first.unit
      const stepMs = [...size.measured()].map(([pictures, ms]) => ({
        batch: pictures,
        ms: Math.round(ms * 10) / 10,
      }))
      emit({ type: 'batch-chosen', device: opened.device, width, height, batch: size.next(), stepMs })
    },
  }
}

/** What makes a call of another cost. */
function shapeOf({ width, height, guided }: Unit): string {
  return `${width}×${height} ${guided}`
}

const FOR_MEMORY: ReadonlySet<string> = new Set(['E_GPU_OUT_OF_MEMORY', 'E_OUT_OF_MEMORY'])

function isForMemory(outcome: BatchOutcome): boolean {
  return (
    outcome.type === 'failed' && outcome.reason instanceof PregenError && FOR_MEMORY.has(outcome.reason.code)
  )
}
