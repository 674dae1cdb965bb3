/** A queue as it looks in the middle of an evening: one sheet at work, one that waits, two that have ended. */
import type { QueueClient } from '../../../src/queue/connect.ts'
import { writeStanding } from '../../../src/queue/sheet-store.ts'
import { stageSheet, takeNext } from '../../queue/staged.ts'

const AT_WORK = [
  ['gpu-07:311', 'cuda:0', 'harbour', 'seed-31', 8],
  ['gpu-07:311', 'cuda:1', 'forest', 'at-dusk-12', 13],
  ['gpu-11:8271', 'cuda:0', 'city', 'seed-33', 18],
  ['ip-10-0-3-17.eu-west-1.compute.internal:41', 'cuda:0', 'dawn', 'seed-30', 3],
] as const
const NAN = 'vae decode: The decoded pixels hold NaN values. Use an fp32 vae_decoder.'
const FAILED = [
  ['gpu-07:311', 'dawn', 'seed-9', `E_NOT_FINITE: dawn/seed-9: ${NAN}`],
  ['gpu-11:8271', 'dawn', 'seed-21', `E_NOT_FINITE: dawn/seed-21: ${NAN}`],
  ['gpu-04:77', 'city', 'seed-7', 'E_QUEUE_STALLED: Given up: job stalled more than allowable limit.'],
] as const

export async function stageQueueShow(client: QueueClient): Promise<void> {
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const [opening, rehearsal, matinee, late] = ['a41c', '7e02', '93bd', 'c5f8'].map((id) =>
    id.padEnd(32, '0'),
  ) as [...[string, string, string, string]]
  await stageSheet(client, {
    id: opening,
    ...{ version: 'opening-night', name: 'opening.yaml', units: 120, submitted: ago(21) },
  })
  for (let unit = 0; unit < 67; unit++) await (await takeNext(client, 'gpu-07:311')).done()
  for (const [machine, cue, variant, error] of FAILED) {
    const hand = await takeNext(client, machine)
    await hand.tell({ machine, device: 'cuda:0', cue, variant, step: 28, steps: 28 })
    await hand.fail(error)
  }
  for (const [machine, device, cue, variant, step] of AT_WORK)
    await (await takeNext(client, machine)).tell({ machine, device, cue, variant, step, steps: 28 })
  await stageSheet(client, { id: rehearsal, version: 'rehearsal', units: 24, submitted: ago(3) })
  for (const [id, version, whole, minutes] of [
    [matinee, 'matinee', 48, 190],
    [late, 'late-show', 96, 1450],
  ] as const) {
    await stageSheet(client, { id, version, name: `${version}.yaml`, units: 0, submitted: ago(minutes + 30) })
    await writeStanding(client, id, { state: 'done', ended: ago(minutes), whole, missing: 0 })
  }
}
