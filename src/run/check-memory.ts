/** Videos that this machine has too little memory for, where its processor is to draw them: told before anything loads. */
import { totalmem } from 'node:os'
import { PregenError } from '../errors.ts'
import type { RequestedProvider } from '../model/providers.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import { gibibytes, videoCost } from '../plan/video-cost.ts'
import type { PreparedModel } from './prepared.ts'

/** One fault a model. @param provider of the command line; `auto` may find a GPU, of whose memory nothing is known here */
export function findMemoryFaults(
  units: readonly Unit[],
  models: ReadonlyMap<string, Pick<PreparedModel, 'facts' | 'provider'>>,
  provider: RequestedProvider | undefined,
  memoryBytes = totalmem(),
): PregenError[] {
  const faults = new Map<string, PregenError>()
  for (const unit of units) {
    const { model, width, height, numFrames } = unit
    const { facts, provider: own } = models.get(model) ?? {}
    if (facts?.video === undefined || numFrames === undefined || faults.has(model)) continue
    if ((provider ?? own) !== 'cpu') continue
    const { cost } = facts.video
    const needed = videoCost({ width, height, numFrames }, cost).memoryBytes
    if (needed <= memoryBytes) continue
    const message = `${unitName(unit)} (${width} × ${height}, ${numFrames} frames) needs about ${gibibytes(needed)} of memory; this machine has ${gibibytes(memoryBytes)}.`
    faults.set(
      model,
      new PregenError('E_VIDEO_MEMORY', message, {
        help: helpFor(unit, numFrames, facts.video, memoryBytes),
      }),
    )
  }
  return [...faults.values()]
}

type VideoOf = NonNullable<PreparedModel['facts']['video']>

/** The largest size of the same aspect that fits, if one does. */
function helpFor({ width, height }: Unit, numFrames: number, { cost }: VideoOf, memoryBytes: number): string {
  const { tokenSide } = cost
  for (let columns = Math.floor(width / tokenSide) - 1; columns >= 1; columns--) {
    const smaller = {
      width: columns * tokenSide,
      height: Math.max(1, Math.round((columns * height) / width)) * tokenSide,
      numFrames,
    }
    if (videoCost(smaller, cost).memoryBytes > memoryBytes) continue
    return `${smaller.width} × ${smaller.height} would fit; or take an fp16 export, or a GPU.`
  }
  return 'Its weights alone do not fit: take an fp16 export, or a machine with more memory.'
}
