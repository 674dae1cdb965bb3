import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const src = resolve(import.meta.dirname, '../../src')

/**
 * Rooms that a room may import from, itself apart. `index.ts` and those of ANYWHERE stand outside the rooms. A family's
 * folder is in two rooms: its facts are `families`, which planning reads; what draws is `families/pipeline`.
 */
const ALLOWED: Record<string, readonly string[]> = {
  tensor: [],
  'model-files': [],
  random: ['tensor'],
  diffusion: ['tensor'],
  text: ['tensor', 'model-files'],
  net: [],
  cuda: ['net'],
  hub: ['net', 'families'],
  files: [],
  images: ['net', 'files', 'tensor'],
  families: ['diffusion'],
  media: ['images', 'tensor'],
  films: ['media', 'artifacts', 'images', 'tensor'],
  model: ['families', 'diffusion', 'tensor', 'plan', 'model-files'],
  'cue-sheet': [
    'families',
    'diffusion',
    'net:addresses',
    'files',
    'films:film-options',
    'media:video-formats',
  ],
  plan: [
    'cue-sheet',
    'families',
    'diffusion',
    'artifacts:layout',
    'artifacts:file-names',
    'films:film-options',
    'media:frame-rate',
  ],
  pipelines: [
    'model-files',
    'cue-sheet:setting-types',
    'families',
    'diffusion',
    'text',
    'model',
    'random',
    'tensor',
  ],
  'families/pipeline': ['pipelines', 'families', 'diffusion', 'text', 'model', 'random', 'tensor'],
  preview: ['model', 'families', 'tensor', 'plan', 'images', 'model-files'],
  artifacts: ['plan', 'cue-sheet:ids', 'images', 'tensor', 'media:video-kind', 'media:video-formats'],
  storage: ['artifacts', 'run:events', 'plan', 'net', 'files'],
  engine: [
    ...[
      'artifacts',
      'cuda',
      'cue-sheet:setting-types',
      'diffusion',
      'model',
      'pipelines',
      'plan',
      'preview',
      'tensor',
    ],
  ],
  run: [
    ...[
      'engine',
      'hub',
      'families',
      'plan',
      'cue-sheet',
      'preview',
      'artifacts',
      'storage',
      'images',
      'net',
      'model',
      'text',
    ],
    ...['tensor', 'films', 'media'],
  ],
  tasks: [
    ...[
      'run',
      'engine',
      'families',
      'plan',
      'cue-sheet',
      'preview',
      'artifacts',
      'storage',
      'images',
      'model',
    ],
    ...['pipelines', 'tensor', 'films'],
  ],
  queue: [...['run', 'engine', 'plan', 'cue-sheet', 'artifacts', 'storage', 'model', 'media', 'files']],
  library: ['tasks', 'run', 'engine', 'model', 'plan', 'diffusion', 'random'],
  metrics: ['run:events'],
  watch: ['artifacts', 'cue-sheet', 'images', 'metrics', 'run:events', 'run:reduce', 'run:state'],
  cli: [
    'films',
    'media',
    'metrics',
    'library',
    'tasks',
    'queue',
    'run',
    'engine',
    'watch',
    'cuda',
    'hub',
    'cue-sheet',
    'plan',
    'model',
    'preview',
    'artifacts',
    'storage',
    'images',
  ],
}

/** `run:events` as the page has it: `run` (events). */
function inWords(entry: string): string {
  const [room = '', file] = entry.split(':')
  return file === undefined ? room : `${room} (${file})`
}

/** Files of a family's folder that planning may read; all others draw. */
const FACTS: readonly string[] = ['facts.ts', 'kind.ts', 'preview-factors.ts']

/** Files that every room may use. */
const ANYWHERE: readonly string[] = [
  'errors.ts',
  'printable.ts',
  'trim.ts',
  'did-you-mean.ts',
  'running-process.ts',
  'error-codes.ts',
  'zod.ts',
]

interface Import {
  readonly from: string
  readonly to: string
  /** `import('…')`: the imported room is loaded when it is used. */
  readonly isLazy: boolean
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => join(src, name))

const imports: Import[] = files.flatMap((file) =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*(\(?)\s*'(\.{1,2}\/[^']+)'/g)].map((match) => ({
    from: file,
    to: resolve(dirname(file), match[2]!),
    isLazy: match[1] === '(',
  })),
)

const roomOf = (file: string) => {
  const [first, ...rest] = relative(src, file).split(sep)
  const draws = first === 'families' && rest.length === 2 && !FACTS.includes(rest[1]!)
  return rest.length === 0 ? null : draws ? 'families/pipeline' : first!
}
const short = ({ from, to }: Import) => `${relative(src, from)} → ${relative(src, to)}`

function isAllowed({ from, to, isLazy }: Import): boolean {
  const [here, there] = [roomOf(from), roomOf(to)]
  if (ANYWHERE.includes(relative(src, to))) return true
  if (here === null) return relative(src, from) === 'index.ts'
  if (there === null) return false
  if (here === there) return true
  // Facts name the pipeline of their own folder, and do not load it.
  if (here === 'families' && there === 'families/pipeline') return isLazy && dirname(from) === dirname(to)
  const allowed = ALLOWED[here] ?? []
  return (
    allowed.includes(there) ||
    allowed.some((entry) => entry.includes(':') && `${entry.replace(':', sep)}.ts` === relative(src, to))
  )
}

/** The first cycle found by depth-first search, as a list of files, or null. What is loaded lazily makes none. */
function findCycle(): string[] | null {
  const edges = new Map<string, string[]>()
  for (const { from, to, isLazy } of imports) if (!isLazy) edges.set(from, [...(edges.get(from) ?? []), to])
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

  it('plans and reads sheets without a runtime', () => {
    const reached = new Set<string>()
    const visit = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const { from, to, isLazy } of imports) if (from === file && !isLazy) visit(to)
    }
    for (const file of files) if (['plan', 'cue-sheet', 'families'].includes(roomOf(file) ?? '')) visit(file)
    const runtimes = [...reached].filter((file) => readFileSync(file, 'utf8').includes("'onnxruntime-node'"))
    expect(runtimes.map((file) => relative(src, file))).toEqual([])
  })

  it('are what docs/architecture.md says, room by room', () => {
    const page = readFileSync(resolve(src, '../docs/architecture.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `([a-z-]+)\/` \|[^|]*\| ([^|]*) \|$/gm)]
    const said = Object.fromEntries(
      rows.map(([, room = '', list = '']) => [room, list === '—' ? [] : list.split(', ').sort()]),
    )
    const held = Object.fromEntries(
      Object.entries(ALLOWED)
        .filter(([room]) => room !== 'families/pipeline')
        .map(([room, list]) => [
          room,
          list
            .map(inWords)
            .filter((there) => there !== 'tensor')
            .sort(),
        ]),
    )
    expect(said).toEqual(held)
  })

  it('lead through files that there are: each of the page’s stands where it says', () => {
    const root = resolve(src, '..')
    const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')
    const paths = [...page.matchAll(/`((?:src|test)\/[\w./-]+?)\/?`/g)].map(([, path = '']) => path)
    expect(paths.length).toBeGreaterThan(20)
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
    // The way of a unit meets each file once.
    const way = page.slice(page.indexOf('## The way of one unit'), page.indexOf('## Rooms'))
    const met = [...way.matchAll(/`(src\/[\w./-]+\.ts)`/g)].map(([, path = '']) => path)
    expect(met.filter((path, index) => met.indexOf(path) !== index)).toEqual([])
  })

  it('make no cycle', () => {
    expect(findCycle()?.map((file) => relative(src, file)) ?? null).toBeNull()
  })

  it('keep the environment and the arguments at the edges, the command line and the library', () => {
    const readers = files.filter(
      (file) =>
        !['cli', 'library'].includes(roomOf(file) ?? '') &&
        /process\.(env|argv)\b/.test(readFileSync(file, 'utf8')),
    )
    expect(readers.map((file) => relative(src, file))).toEqual([])
  })
})
