/** Feeds one reader with changed inputs, seeded; what makes it answer in a new way is kept and changed further. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom, mutate } from './mutate.ts'

export interface FuzzTarget {
  readonly name: string
  /** Inputs to begin with. */
  readonly seeds: () => readonly (Buffer | string)[]
  /**
   * Reads one input.
   * @returns how it was answered, `ok` or an error's code
   * @throws what no reader may throw: a bug
   */
  readonly read: (bytes: Buffer) => string | Promise<string>
}

export interface FuzzOptions {
  readonly seed: number
  /** Whichever is reached first. */
  readonly iterations?: number
  readonly durationMs?: number
  /** Whether new inputs of interest are written to test/fuzz/corpus/. */
  readonly grow?: boolean
}

export interface FuzzReport {
  readonly iterations: number
  /** Different answers met. */
  readonly answers: readonly string[]
  readonly written: number
}

/** No input of 64 KiB takes a reader this long, on the slowest machine. */
const MAX_MS = 5000
const MAX_POOL = 500

const corpus = join(import.meta.dirname, 'corpus')

function corpusOf(name: string): Buffer[] {
  const folder = join(corpus, name)
  return existsSync(folder)
    ? readdirSync(folder)
        .sort()
        .map((file) => readFileSync(join(folder, file)))
    : []
}

/** @throws Error with the seed and the input's place, where a reader throws what it may not, or takes too long */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const {
    seed,
    iterations = Number.POSITIVE_INFINITY,
    durationMs = Number.POSITIVE_INFINITY,
    grow = false,
  } = options
  const random = createRandom(seed)
  const pool = [...target.seeds().map((each) => Buffer.from(each)), ...corpusOf(target.name)]
  const answers = new Set<string>()
  const started = performance.now()
  let written = 0
  const feed = async (bytes: Buffer): Promise<boolean> => {
    const answer = await readOrTell(target, bytes, seed)
    const isNew = !answers.has(answer)
    answers.add(answer)
    return isNew
  }
  for (const bytes of [...pool]) await feed(bytes)
  let count = 0
  for (; count < iterations && performance.now() - started < durationMs; count++) {
    const bytes = mutate(pool[Math.floor(random() * pool.length)]!, random, pool)
    if (!(await feed(bytes))) continue
    if (pool.length < MAX_POOL) pool.push(bytes)
    if (grow && keep(target.name, bytes)) written++
  }
  return { iterations: count, answers: [...answers], written }
}

async function readOrTell(target: FuzzTarget, bytes: Buffer, seed: number): Promise<string> {
  const began = performance.now()
  try {
    const answer = await target.read(bytes)
    const ms = performance.now() - began
    if (ms > MAX_MS) throw new Error(`it took ${Math.round(ms)} ms`)
    return answer
  } catch (cause) {
    const file = join(mkdtempSync(join(tmpdir(), `fuzz-${target.name}-`)), 'input')
    writeFileSync(file, bytes)
    throw new Error(`fuzz target ${target.name}, seed ${seed}: ${cause} (input: ${file})`, { cause })
  }
}

function keep(name: string, bytes: Buffer): boolean {
  const folder = join(corpus, name)
  const file = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16))
  if (existsSync(file)) return false
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, bytes)
  return true
}
