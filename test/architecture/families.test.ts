/** A family is one folder and one entry of a list: nothing else in the code goes by a family's name. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { FAMILY_NAMES } from '../../src/families/index.ts'

const src = resolve(import.meta.dirname, '../../src')
/** `lcm` is a scheduler too, which models of several families are drawn with. */
const SCHEDULERS = /^diffusion\//
const QUOTED = new RegExp(`'(?:${FAMILY_NAMES.join('|')})'`)

/** Lines of code that quote a family's name; comments may. */
function namesIn(file: string): string[] {
  return readFileSync(join(src, file), 'utf8')
    .split('\n')
    .filter((line) => QUOTED.test(line) && !/^\s*(\/\*\*|\*|\/\/)/.test(line))
    .map((line) => `${file}: ${line.trim()}`)
}

it('no file outside src/families names a family', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  expect(files.flatMap(namesIn)).toContain("families/sd/facts.ts: name: 'sd',")
  const others = files.filter((name) => !name.startsWith('families/') && !SCHEDULERS.test(name))
  expect(others.flatMap(namesIn)).toEqual([])
})
