/** The schema of the events, the page that is made from it, and the stream that stamps them. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createEventBus, createRunId } from '../../src/run/event-bus.ts'
import { EVENT_FIELDS, parseRunEvent, type RunEvent, STAMP_FIELDS } from '../../src/run/events.ts'
import { packageRoot } from '../support/cli.ts'

const page = join(packageRoot, 'docs/events.md')

const WORDS: Readonly<Record<string, string>> = {
  ...{ string: 'text', integer: 'number', number: 'number', boolean: 'true or false', null: 'null' },
}

const shape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]),
  items: z
    .looseObject({ type: z.string(), properties: z.record(z.string(), z.unknown()).default({}) })
    .optional(),
})

/** A field's type in the words of the page. */
function typeOf(field: z.ZodType): string {
  const { type, items } = shape.parse(z.toJSONSchema(field))
  if (type === 'array') {
    if (items?.type !== 'object') return 'list of texts'
    return 'cue' in items.properties ? 'list of units' : 'list'
  }
  return [type]
    .flat()
    .map((one) => WORDS[one])
    .join(' or ')
}

function tableOf({ shape: fields }: z.ZodObject): string {
  const rows = Object.entries(fields).map(([name, field]) => {
    if (!(field instanceof z.ZodType)) throw new Error(`${name} is no field`)
    return `| \`${name}\` | ${typeOf(field)} | ${field.description ?? ''} |`.replace('|  |', '| |')
  })
  return ['| Field | Type | |', '|---|---|---|', ...rows].join('\n')
}

const TABLE = /^\| Field \| Type \| \|\n(?:\|.*\n)*/m

describe('docs/events.md', () => {
  // `PREGEN_WRITE_DOCS=1 npx vitest run test/run/events.test.ts` writes the tables.
  it('has the tables that the schema makes', async () => {
    const [head = '', ...sections] = (await readFile(page, 'utf8')).split(/^(?=### `)/m)
    const withTable = (text: string, fields: z.ZodObject) => text.replace(TABLE, () => `${tableOf(fields)}\n`)
    const made = sections.map((section) => {
      const type = /^### `([^`]+)`/.exec(section)?.[1] ?? ''
      const known = Object.entries(EVENT_FIELDS).find(([name]) => name === type)
      if (!known) throw new Error(`the page tells of "${type}", which is no event`)
      return withTable(section, known[1])
    })
    expect(sections).toHaveLength(Object.keys(EVENT_FIELDS).length)
    const whole = [withTable(head, STAMP_FIELDS), ...made].join('')
    if (process.env.PREGEN_WRITE_DOCS) await writeFile(page, whole)
    expect(await readFile(page, 'utf8')).toBe(whole)
  })
})

describe('the event stream', () => {
  const warning = (message: string) => ({ type: 'warning', code: 'W_X', message }) as const

  it('numbers events from 1 without gaps, and stamps run and time', () => {
    const now = new Date('2026-11-26T23:15:02.500Z')
    const bus = createEventBus({ now: () => now, run: '20261126-231502-4f7a' })
    const events: RunEvent[] = []
    bus.subscribe((event) => void events.push(event))
    for (const message of ['a', 'b', 'c']) bus.emit(warning(message))
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(events[0]).toEqual({
      ...{ type: 'warning', run: '20261126-231502-4f7a', seq: 1, time: '2026-11-26T23:15:02.500Z' },
      ...{ code: 'W_X', message: 'a' },
    })
  })

  it('gives ids that sort by time', () => {
    const ids = ['2026-11-26T23:15:02Z', '2026-11-26T23:15:03Z', '2027-01-01T00:00:00Z'].map((time) =>
      createRunId(new Date(time)),
    )
    expect(ids[0]).toMatch(/^20261126-231502-[0-9a-f]{4}$/)
    expect([...ids].sort()).toEqual(ids)
  })

  it('leaves out a listener that throws, tells the others, and goes on', () => {
    const bus = createEventBus()
    const events: RunEvent[] = []
    let calls = 0
    bus.subscribe(() => {
      calls++
      throw new Error('no space')
    })
    bus.subscribe((event) => void events.push(event))
    bus.emit(warning('a'))
    bus.emit(warning('b'))
    expect(calls).toBe(1)
    expect(events.map((event) => event.type === 'warning' && event.code)).toEqual([
      'W_X',
      'W_LISTENER_FAILED',
      'W_X',
    ])
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3])
  })
})

describe('a line of a log', () => {
  const stamp = { run: '20261126-231502-4f7a', seq: 1, time: '2026-11-26T23:15:02.500Z' }

  it('is read as the event that was written, whatever else it holds', () => {
    const event = { type: 'unit-skipped', ...stamp, cue: 'dawn', variant: 'wide', reason: 'complete' }
    expect(parseRunEvent(JSON.stringify({ ...event, later: 1 }))).toEqual(event)
  })

  it.each(['', '{"type":"step"', '[]', '{"type":"of-a-later-release"}', '{"type":"toString"}'])(
    'is none of ours: %s',
    (line) => {
      expect(parseRunEvent(line)).toBeNull()
    },
  )

  it('is none of ours without its fields', () => {
    expect(parseRunEvent(JSON.stringify({ type: 'step', ...stamp, step: '1' }))).toBeNull()
  })
})
