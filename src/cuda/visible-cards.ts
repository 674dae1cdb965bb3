/** Which cards CUDA will number in a process: those that the driver shows, as far as CUDA_VISIBLE_DEVICES lets it. */
import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { errorCode } from '../errors.ts'

export interface VisibleCards {
  /** Cards that CUDA numbers from 0. */
  readonly count: number
  /** MiB of the smallest of them; null where it is not known. */
  readonly memoryMib: number | null
  /** Whether CUDA_VISIBLE_DEVICES hides others. */
  readonly isFiltered: boolean
}

interface Card {
  readonly uuid: string | null
  readonly memoryMib: number | null
}

export interface CardPlaces {
  /** The driver's tool. */
  readonly command: string
  /** Where the kernel has a file for each card, which containers without that tool see too. */
  readonly devFolder: string
}

const PLACES: CardPlaces = { command: 'nvidia-smi', devFolder: '/dev' }
const NVIDIA_SMI_TIMEOUT_MS = 20_000

/** @returns null where nobody says how many cards there are */
export async function findVisibleCards(
  env: Readonly<Record<string, string | undefined>>,
  { command, devFolder }: CardPlaces = PLACES,
): Promise<VisibleCards | null> {
  const cards = (await askDriver(command, env)) ?? (await countDeviceFiles(devFolder))
  if (cards === null) return null
  const visible = cardsOf(cards, env.CUDA_VISIBLE_DEVICES)
  const sizes = visible.flatMap(({ memoryMib }) => (memoryMib === null ? [] : [memoryMib]))
  return {
    count: visible.length,
    memoryMib: sizes.length > 0 && sizes.length === visible.length ? Math.min(...sizes) : null,
    isFiltered: visible.length < cards.length,
  }
}

/**
 * As CUDA reads it: numbers, or beginnings of a card's UUID, in any order; nothing counts from the first that is none, or
 * comes twice. Of MIG instances a process sees one.
 */
function cardsOf(cards: readonly Card[], visible: string | undefined): readonly Card[] {
  if (visible === undefined) return cards
  const taken: Card[] = []
  for (const name of visible.split(',').map((part) => part.trim())) {
    if (name.startsWith('MIG-')) return taken.length === 0 ? [{ uuid: name, memoryMib: null }] : taken
    const card = cardNamed(cards, name)
    if (card === undefined || taken.includes(card)) break
    taken.push(card)
  }
  return taken
}

function cardNamed(cards: readonly Card[], name: string): Card | undefined {
  if (/^\d{1,4}$/.test(name)) return cards[Number(name)]
  if (!name.startsWith('GPU-')) return undefined
  const named = cards.filter(({ uuid }) => uuid?.startsWith(name))
  return named.length === 1 ? named[0] : undefined
}

async function askDriver(
  command: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Card[] | null> {
  const query = ['--query-gpu=uuid,memory.total', '--format=csv,noheader,nounits']
  try {
    const options = { timeout: NVIDIA_SMI_TIMEOUT_MS, encoding: 'utf8', env: { ...env } } as const
    const { stdout } = await promisify(execFile)(command, query, options)
    return stdout.split('\n').flatMap((line) => {
      const [uuid, memory] = line.split(',').map((cell) => cell.trim())
      if (!uuid?.startsWith('GPU-')) return []
      return [{ uuid, memoryMib: Number(memory) > 0 ? Number(memory) : null }]
    })
  } catch {
    // It is not there, or the driver does not answer it: the kernel may know more.
    return null
  }
}

async function countDeviceFiles(folder: string): Promise<Card[] | null> {
  let names: string[]
  try {
    names = await readdir(folder)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw error
  }
  const cards = names.filter((name) => /^nvidia\d+$/.test(name))
  return cards.length === 0 ? null : cards.map(() => ({ uuid: null, memoryMib: null }))
}
