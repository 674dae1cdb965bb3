/** What an install and a CI job take from elsewhere is what was looked at: nothing that can be moved under its name. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

interface LockEntry {
  readonly integrity?: string
  readonly resolved?: string
  readonly link?: boolean
}

const { packages }: { packages: Record<string, LockEntry> } = JSON.parse(
  readFileSync(join(root, 'package-lock.json'), 'utf8'),
)

it('every package of the lock file has a SHA-512', () => {
  const entries = Object.entries(packages).filter(([path]) => path !== '')
  expect(entries.length).toBeGreaterThan(50)
  const without = entries.filter(([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity))
  expect(without.map(([path]) => path)).toEqual([])
})

it('the lock file names no registry', () => {
  expect(Object.values(packages).flatMap(({ resolved }) => resolved ?? [])).toEqual([])
})

it('every dependency is weighed in docs/architecture.md, with its licence', () => {
  const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
  const weighed = page.slice(page.indexOf('## Dependencies, weighed'))
  const own: Record<string, Record<string, string>> = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  // Its own names, without the prose around them.
  const named = (name: string) => new RegExp(`(^|[\\s|(,])${name}([\\s,(]|$)`, 'im').test(weighed)
  const [used, developed] = [{ ...own.dependencies, ...own.optionalDependencies }, own.devDependencies ?? {}]
  const tools = Object.keys(developed).filter((name) => !name.startsWith('@types/'))
  const all = [...Object.keys(used), ...tools.map((name) => name.replace(/^@biomejs\//, ''))]
  expect(all.length).toBeGreaterThan(30)
  expect(all.filter((name) => !named(name))).toEqual([])
  const rows = [...weighed.matchAll(/^\| ([^|]+) \| ([^|]+) \|/gm)].slice(1)
  const bare = rows.filter(([, name = '', size = '']) => !/\(.+\)/.test(name) || !/\d{4}/.test(size))
  expect(bare.map(([row]) => row).filter((row) => !row.startsWith('|--'))).toEqual([])
})

it('every action is pinned by the hash of its commit', () => {
  const folder = join(root, '.github/workflows')
  const workflows = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name))
  expect(workflows.length).toBeGreaterThan(0)
  const loose = workflows.flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/^\s*-?\s*uses:\s*(\S+)/gm)]
      .map(([, action = '']) => action)
      .filter((action) => !/^[\w./-]+@[0-9a-f]{40}$/.test(action)),
  )
  expect(loose).toEqual([])
})

it('SECURITY.md says how to report', () => {
  expect(readFileSync(join(root, 'SECURITY.md'), 'utf8')).toMatch(/Report a vulnerability/)
})
