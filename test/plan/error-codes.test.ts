import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/error-codes.ts'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')

/** Every code in quotes in src/: code → the first file that has it. */
function codesInSource(): Map<string, string> {
  const found = new Map<string, string>()
  for (const name of readdirSync(src, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.ts') || name === 'error-codes.ts') continue
    for (const match of readFileSync(join(src, name), 'utf8').matchAll(/['"`]([EW]_[A-Z][A-Z0-9_]+)['"`]/g)) {
      if (!found.has(match[1]!)) found.set(match[1]!, name)
    }
  }
  return found
}

/** Codes that begin a row of a table in docs/errors.md. */
function codesInDocs(): string[] {
  const text = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  return [...text.matchAll(/^\| `([EW]_[A-Z0-9_]+)` \|/gm)].map((match) => match[1]!)
}

describe('docs/errors.md', () => {
  const source = codesInSource()
  const docs = codesInDocs()

  it('has a row for every code in src/', () => {
    const missing = [...source].filter(([code]) => !docs.includes(code))
    expect(missing.map(([code, file]) => `${code} (src/${file}) has no row in docs/errors.md`)).toEqual([])
  })

  it('has no row for a code that src/ does not have', () => {
    expect(
      docs.filter((code) => !source.has(code)).map((code) => `${code} is in docs/errors.md alone`),
    ).toEqual([])
  })

  it('has the codes that the type of a code has', () => {
    expect(docs.filter((code) => code.startsWith('E_')).sort()).toEqual([...ERROR_CODES])
  })

  it('has each code once', () => {
    expect(docs.filter((code, index) => docs.indexOf(code) !== index)).toEqual([])
  })
})
