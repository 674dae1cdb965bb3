/** docs/library.md: its examples run, and its types hold for a program without skipLibCheck. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { type Consumer, createConsumer, useOfEveryExport } from './consumer.ts'

const SHEET = `
version: v1
defaults: { width: 64, height: 64, steps: 2 }
programs: { P0: {} }
cues: { dawn: { program: P0, prompt: misty mountains, seeds: [1, 2] } }
`

/** What each example of the page prints, in its order. */
const PRINTED: readonly (readonly [string, RegExp])[] = [
  ['render', /^dawn\/seed-1 1\ndawn\/seed-2 1\n2 0 0\n$/],
  ['an object', /^\d{8}-\d{6}-[0-9a-f]{4} 2\n$/],
  ['plan', /^0 complete\n$/],
  ['cancel', /^E_CANCELLED\n$/],
  ['state', /done: 2.*'seed-1 done'.*'seed-2 done'/s],
  ['draw', /^1\/4 true\n2\/4 true\n3\/4 true\n4\/4 true\ntrue 4\n$/],
  ['errors', /^sheet:.*E_NO_PROGRAMS.*\nsheet:.*E_NO_CUES/s],
]

const scratch = createScratch()
let consumer: Consumer
let examples: readonly string[]

beforeAll(async () => {
  consumer = await createConsumer(scratch.folder)
  await consumer.write('cues.yaml', SHEET)
  const page = await readFile(join(packageRoot, 'docs/library.md'), 'utf8')
  examples = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => code)
})

describe('docs/library.md', () => {
  it('has no example that is not run here', () => {
    expect(examples).toHaveLength(PRINTED.length)
  })

  it.each(PRINTED.map(([title, printed], index) => ({ title, printed, index })))(
    'example of $title',
    { timeout: 300_000 },
    async ({ printed, index }) => {
      const name = await consumer.write(`example-${index}.ts`, examples[index] ?? '')
      expect(await consumer.run(name)).toMatch(printed)
    },
  )
})

describe('the types', () => {
  it('of every export and example hold without skipLibCheck', { timeout: 300_000 }, async () => {
    const file = await consumer.write('types.ts', await useOfEveryExport())
    const written = await Promise.all(
      examples.map((code, index) => consumer.write(`checked-${index}.ts`, `${code}\nexport {}\n`)),
    )
    await consumer.check(file, ...written)
  })
})
