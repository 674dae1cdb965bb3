import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  expectMarkersTrue,
  expectNoLeftovers,
  pictureHashes,
  runSheet,
  runWhole,
  TINY_SD3,
  TINY_SD15,
  tinySheet,
  writeSheet,
} from '../support/runs.ts'
import { temporaryFolder } from '../support/temp.ts'

const KILLS = 10
const SEEDS = Array.from({ length: 20 }, (_, index) => index)

/** Inference processes of a run, in the order of their start. */
function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return children.map(Number).filter((child) => child > 0)
}

it('two devices whose processes are killed ten times lose nothing', { timeout: 240_000 }, async () => {
  const folder = await temporaryFolder()
  const cues = { fox: { program: 'P1', prompt: 'a fox', seeds: SEEDS } }
  const sheet = await writeSheet(
    folder,
    tinySheet({ programs: { P1: { previews: { method: 'latent2rgb' } } }, cues }),
  )
  const one = join(folder, 'one')
  await runWhole(sheet, one, ['--dry-run'])

  // Every fifth step of all, one process or the other.
  const two = join(folder, 'two')
  const args = ['--dry-run', '--devices', '0,1']
  let steps = 0
  let kills = 0
  await runSheet(sheet, two, args, {
    onStdout(text, { pid }) {
      for (const _ of text.matchAll(/"type":"step"/g)) {
        if (++steps % 5 !== 0 || kills >= KILLS || pid === undefined) continue
        const children = childrenOf(pid)
        const victim = children[kills % 2] ?? children[0]
        if (victim === undefined) continue
        process.kill(victim, 'SIGKILL')
        kills++
      }
    },
  })
  expect(kills).toBe(KILLS)
  await expectMarkersTrue(two)
  // A unit that was hit twice has failed; running again mends it, and draws nothing else.
  await runWhole(sheet, two, args)
  expect(await pictureHashes(two)).toEqual(await pictureHashes(one))
  await expectNoLeftovers(two)
})

it('two devices encode each prompt once, and draw the bytes of one', { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder()
  const prompts = ['a fox', 'an owl', 'a hare']
  const cues = Object.fromEntries(
    prompts.map((prompt, place) => [`c${place}`, { program: 'P1', prompt, seeds: [1, 2] }]),
  )
  // SD3 has all four tensors of a prompt.
  const sheet = await writeSheet(
    folder,
    tinySheet({ models: { tiny: TINY_SD3 }, programs: { P1: {} }, cues }),
  )
  const encodedOf = async (out: string, args: readonly string[]) => {
    const { events } = await runWhole(sheet, join(folder, out), ['--dry-run', ...args])
    return events.flatMap((event) => (event.type === 'model-loaded' ? [Number(event.prompts)] : []))
  }
  expect(await encodedOf('one', [])).toEqual([3])
  expect((await encodedOf('two', ['--devices', '0,1'])).sort()).toEqual([0, 3])
  expect(await pictureHashes(join(folder, 'two'))).toEqual(await pictureHashes(join(folder, 'one')))
  await expectNoLeftovers(join(folder, 'two'))
})

it('a batch draws what its pictures alone are, to the byte, and asks for no new drawing', {
  timeout: 120_000,
}, async () => {
  const folder = await temporaryFolder()
  const sheetOf = (batch: number) =>
    tinySheet({
      models: { tiny: TINY_SD15, three: TINY_SD3 },
      programs: { P1: { batch, previews: { method: 'latent2rgb' } }, P2: { batch, model: 'three' } },
      cues: {
        fox: { program: 'P1', prompt: 'a fox', seeds: [1, 2, 3] },
        owl: { program: 'P2', prompt: 'an owl', seeds: [4, 5] },
      },
    })
  const solo = await writeSheet(folder, sheetOf(1), 'solo.yaml')
  const batched = await writeSheet(folder, sheetOf(3), 'batched.yaml')
  await runWhole(solo, join(folder, 'solo'), ['--dry-run'])
  await runWhole(batched, join(folder, 'batched'), ['--dry-run'])
  const pictures = await pictureHashes(join(folder, 'solo'))
  expect(pictures.size).toBeGreaterThan(5)
  expect(await pictureHashes(join(folder, 'batched'))).toEqual(pictures)
  const { events } = await runWhole(batched, join(folder, 'solo'), ['--dry-run'])
  expect(events.find(({ type }) => type === 'run-planned')).toMatchObject({ units: 5, skipped: 5 })
})
