// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the sheet's own syntax
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { conceal, concealVariable } from '../../src/cli/concealed.ts'
import { printJson, printLines } from '../../src/cli/print.ts'
import { reportError } from '../../src/cli/report-error.ts'
import { createReporter } from '../../src/cli/reporters/create.ts'
import { PregenError, PregenErrors } from '../../src/errors.ts'
import type { RunEvent } from '../../src/run/events.ts'

const src = resolve(import.meta.dirname, '../../src')

function sink() {
  const written: string[] = []
  return { written, write: (text: string) => written.push(text) }
}

describe('the one door to the terminal', () => {
  it('is the only one', () => {
    // The page and the player run in browsers, which have no terminal.
    const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.ts') && !/^watch.(?:page|player)/.test(name),
    )
    const others = files.filter((name) => {
      const text = readFileSync(join(src, name), 'utf8').replace(/^ *\*.*$/gm, '')
      return /console\.|process\.std(?:out|err)\s*\.|std(?:out|err)\.write|sink\.write/.test(text)
    })
    expect(others.map((name) => relative('.', name))).toEqual(['cli/print.ts'])
  })

  it('prints no line that its caller did not make', () => {
    const out = sink()
    printLines(out, ['one\n::error::two', '##[group]three'])
    expect(out.written.join('')).toBe('one\\u{a}::error::two\n\\u{23}#[group]three\n')
    printJson(out, { a: '\u2028\u009b##[x]' })
    expect(out.written.at(-1)).toBe('{"a":"\\u2028\\u009b\\u0023\\u0023[x]"}\n')
  })

  it('bounds faults and stacks', () => {
    const out = sink()
    const faults = Array.from({ length: 1000 }, () => new PregenError('E_BUG', '::x'.repeat(10_000)))
    expect(reportError(new PregenErrors(faults, 5), out)).toBe(2)
    expect(out.written.join('').length).toBeLessThan(64 * 1024)
    expect(out.written.join('')).toMatch(/and \d+ more\n\n1005 faults; nothing was run\.\n$/)
    const bug = sink()
    expect(reportError(new Error('\n::error::a\n##vso[x]'), bug)).toBe(1)
    for (const line of bug.written.join('').split('\n')) expect(line).not.toMatch(/^\s*::|##vso\[/)
  })
})

describe('variables of a sheet', () => {
  const time = '2026-03-01T20:00:00.000Z'

  afterEach(() => expect(conceal('hunter2-value')).toBe('${PREGEN_X}'))

  it('stand in messages as the sheet has them, and in data as they are', async () => {
    concealVariable('PREGEN_X', 'hunter2-value')
    concealVariable('PREGEN_SHORT', 'dusk')
    concealVariable('PREGEN_N', '1234567')
    const out = sink()
    reportError(
      new PregenError('E_BUG', 'https://hunter2-value/ at dusk 1234567', { help: 'hunter2-value' }),
      out,
    )
    expect(out.written.join('')).toBe('E_BUG\n  https://${PREGEN_X}/ at dusk 1234567\n  ${PREGEN_X}\n')
    const [stdout, stderr] = [sink(), sink()]
    const streams = { stdout, stderr: Object.assign(process.stderr, {}) }
    const reporter = await createReporter('ndjson', streams, true)
    const event: RunEvent = {
      type: 'warning',
      run: 'r',
      seq: 1,
      time,
      code: 'W_X',
      message: 'saw hunter2-value',
    }
    reporter.onEvent(event)
    const cut = 'The prompt has 90 tokens and the model reads 77; cut off: "HUNTER2 - value"'
    reporter.onEvent({ type: 'warning', run: 'r', seq: 2, time, code: 'W_PROMPT_TRUNCATED', message: cut })
    expect(stdout.written.map((line) => JSON.parse(line).message)).toEqual([
      'saw ${PREGEN_X}',
      'The prompt has 90 tokens and the model reads 77',
    ])
    expect(stderr.written).toEqual([])
  })
})
