import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = resolve(import.meta.dirname, '../../src')

/** Rooms that a room may import from, itself apart. `errors.ts` and `index.ts` stand outside the rooms. */
const ALLOWED: Record<string, readonly string[]> = {
  tensor: [],
  random: ['tensor'],
  diffusion: ['tensor'],
  text: ['tensor'],
  net: [],
  cuda: ['net'],
  hub: ['net', 'model'],
  images: ['net', 'tensor'],
  model: ['tensor', 'plan'],
  'cue-sheet': ['diffusion'],
  plan: ['cue-sheet', 'diffusion'],
  pipelines: ['diffusion', 'text', 'model', 'random', 'tensor', 'plan'],
  preview: ['model', 'tensor', 'plan', 'images'],
  artifacts: ['plan', 'images'],
  storage: ['artifacts', 'run:events', 'plan'],
  run: [
    'pipelines',
    'plan',
    'cue-sheet',
    'preview',
    'artifacts',
    'storage',
    'images',
    'net',
    'model',
    'diffusion',
    'tensor',
    'random',
    'text',
  ],
  cli: [
    'run',
    'cuda',
    'hub',
    'cue-sheet',
    'plan',
    'model',
    'preview',
    'artifacts',
    'storage',
    'images',
    'net',
    'pipelines',
    'tensor',
  ],
}

interface Import {
  readonly from: string
  readonly to: string
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(src, name))

const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map((match) => ({
    from: file,
    to: resolve(dirname(file), match[1]!),
  })),
)

const roomOf = (file: string) => {
  const [first, ...rest] = relative(src, file).split(sep)
  return rest.length === 0 ? null : first!
}
const short = ({ from, to }: Import) => `${relative(src, from)} → ${relative(src, to)}`

function isAllowed({ from, to }: Import): boolean {
  const [here, there] = [roomOf(from), roomOf(to)]
  if (relative(src, to) === 'errors.ts') return true
  if (here === null) return relative(src, from) === 'index.ts'
  if (there === null) return false
  if (here === there) return true
  const allowed = ALLOWED[here] ?? []
  return (
    allowed.includes(there) ||
    allowed.some((entry) => entry.includes(':') && `${entry.replace(':', sep)}.ts` === relative(src, to))
  )
}

/** The first cycle found by depth-first search, as a list of files, or null. */
function findCycle(): string[] | null {
  const edges = new Map<string, string[]>()
  for (const { from, to } of imports) edges.set(from, [...(edges.get(from) ?? []), to])
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): string[] | null => {
    if (done.has(file)) return null
    const seenAt = path.indexOf(file)
    if (seenAt >= 0) return [...path.slice(seenAt), file]
    path.push(file)
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next)
      if (cycle) return cycle
    }
    path.pop()
    done.add(file)
    return null
  }
  for (const file of files) {
    const cycle = visit(file)
    if (cycle) return cycle
  }
  return null
}

describe('imports between rooms', () => {
  it('finds the imports that it judges', () => {
    expect(imports.length).toBeGreaterThan(50)
  })

  it('knows every room', () => {
    const rooms = new Set(files.map(roomOf).filter((room) => room !== null))
    expect([...rooms].filter((room) => !(room in ALLOWED))).toEqual([])
  })

  it('run in the one direction of docs/architecture.md', () => {
    expect(imports.filter((entry) => !isAllowed(entry)).map(short)).toEqual([])
  })

  it('make no cycle', () => {
    expect(findCycle()?.map((file) => relative(src, file)) ?? null).toBeNull()
  })

  it('keep the environment and the arguments in cli/', () => {
    const readers = files.filter(
      (file) => roomOf(file) !== 'cli' && /process\.(env|argv)\b/.test(readFileSync(file, 'utf8')),
    )
    expect(readers.map((file) => relative(src, file))).toEqual([])
  })
})
