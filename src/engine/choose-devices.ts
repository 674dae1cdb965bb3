/** Which devices a run draws on: those that it was told, or all that there are. */
import { findVisibleCards, type VisibleCards } from '../cuda/visible-cards.ts'
import { PregenError } from '../errors.ts'
import type { KnownProviders, RequestedProvider } from '../model/providers.ts'

/** Ids of the provider; `all`: every card that CUDA sees, and one device with the other providers. */
export type RequestedDevices = readonly number[] | 'all'

export interface ChosenDevices {
  /** One inference process each; undefined: one, on the provider's first device. */
  readonly ids: readonly number[] | undefined
  /** MiB of the smallest card; null where no card is drawn on, or nobody says it. */
  readonly cardMemoryMib: number | null
}

export interface ChooseDevicesOptions {
  readonly devices: RequestedDevices | undefined
  /** That the models of the run will be asked to run on. */
  readonly providers: ReadonlySet<RequestedProvider>
  readonly known: KnownProviders
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether the size of cards is wanted too. */
  readonly wantsMemory?: boolean | undefined
  readonly findCards?: ((env: ChooseDevicesOptions['env']) => Promise<VisibleCards | null>) | undefined
}

/** @throws PregenError `E_DEVICES` for one that is named twice, or that is not there */
export async function chooseDevices(options: ChooseDevicesOptions): Promise<ChosenDevices> {
  const { devices, env, wantsMemory = false, findCards = findVisibleCards } = options
  if (devices !== undefined && devices !== 'all') requireDistinct(devices)
  const asksCards = devices !== undefined || wantsMemory
  const cards = asksCards && mayBeCuda(options) ? await findCards(env) : null
  const cardMemoryMib = cards?.memoryMib ?? null
  if (devices === undefined) return { ids: undefined, cardMemoryMib }
  if (devices === 'all') {
    // Without a card the provider itself says why it does not run.
    const count = cards?.count ?? 0
    const ids = count === 0 ? undefined : Array.from({ length: count }, (_, id) => id)
    return { ids, cardMemoryMib }
  }
  if (cards !== null) requireThere(devices, cards, env)
  return { ids: devices, cardMemoryMib }
}

/** Whether a model of this provider is shared out over all cards; another has one device, however many cards there are. */
export function spreadsOverCards(provider: RequestedProvider): boolean {
  return provider === 'cuda' || provider === 'auto'
}

function mayBeCuda({ providers, known: { cuda } }: ChooseDevicesOptions): boolean {
  return (providers.has('cuda') || providers.has('auto')) && (cuda?.problem ?? null) === null
}

function requireDistinct(devices: readonly number[]): void {
  const twice = devices.find((id, place) => devices.indexOf(id) !== place)
  if (twice === undefined) return
  throw new PregenError('E_DEVICES', `Device ${twice} is named twice.`, {
    help: `One process draws on a device: --devices ${[...new Set(devices)].join(',')}`,
  })
}

function requireThere(
  devices: readonly number[],
  { count, isFiltered }: VisibleCards,
  { CUDA_VISIBLE_DEVICES: visible }: ChooseDevicesOptions['env'],
): void {
  const absent = devices.find((id) => id >= count)
  if (absent === undefined || count === 0) return
  const which = count === 1 ? 'one card, 0' : `cards 0 to ${count - 1}`
  const why = isFiltered ? ` with CUDA_VISIBLE_DEVICES=${visible}` : ''
  throw new PregenError('E_DEVICES', `There is no device ${absent}: CUDA sees ${which}${why}.`, {
    help: 'Name those, or take --devices all.',
  })
}
