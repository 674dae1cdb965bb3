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
import { createRandom } from '../support/seed.ts'
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

  // Some steps apart, one process or the other.
  const random = createRandom('moments of death')
  const upTo = (most: number) => Math.floor(random() * most)
  const two = join(folder, 'two')
  const args = ['--dry-run', '--devices', '0,1']
  let wait = upTo(5)
  let kills = 0
  await runSheet(sheet, two, args, {
    onStdout(text, { pid }) {
      for (const _ of text.matchAll(/"type":"step"/g)) {
        if (wait-- > 0 || kills >= KILLS || pid === undefined) continue
        const children = childrenOf(pid)
        const victim = children[upTo(children.length)]
        if (victim === undefined) continue
        process.kill(victim, 'SIGKILL')
        kills++
        wait = 1 + upTo(8)
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

it('a device whose process dies whenever it is started is left out, and the others draw all', {
  timeout: 120_000,
}, async () => {
  const folder = await temporaryFolder()
  const cues = { fox: { program: 'P1', prompt: 'a fox', seeds: SEEDS } }
  // Without a process that decodes previews.
  const sheet = await writeSheet(folder, tinySheet({ programs: { P1: { previews: false } }, cues }))
  let first: number | undefined
  const victims = new Set<number>()
  // No event tells of a process that has not loaded anything yet.
  let looking: NodeJS.Timeout | undefined
  const args = ['--dry-run', '--devices', '0,1', '--provider', 'cpu']
  const { events } = await runWhole(sheet, join(folder, 'out'), args, {
    onStdout(_, { pid }) {
      if (looking !== undefined || pid === undefined) return
      looking = setInterval(() => {
        const children = childrenOf(pid)
        if (children.length > 1) first ??= children[0]
        if (first === undefined) return
        for (const child of children) {
          if (child === first || victims.has(child)) continue
          victims.add(child)
          process.kill(child, 'SIGKILL')
        }
      }, 5)
    },
  }).finally(() => clearInterval(looking))
  const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.code] : []))
  expect(warnings.filter((code) => code === 'W_WORKER_DIED').length).toBeGreaterThan(0)
  expect(warnings).toContain('W_DEVICE_LEFT_OUT')
  expect(victims.size).toBe(4)
  expect(events.filter(({ type }) => type === 'unit-finished')).toHaveLength(SEEDS.length)
  await expectNoLeftovers(join(folder, 'out'))
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
