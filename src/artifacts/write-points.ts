/** Named points of the writing path at which a test may end the process or throw. The product passes none. */

export const KILL_POINTS = [
  'temp-opened',
  'temp-written',
  'temp-synced',
  'renamed',
  'folder-synced',
  'variant-begun',
  'stale-marker-removed',
  'steps-cleared',
  'before-marker',
  'marker-written',
  'ledger-appended',
  'ledger-synced',
  'ledger-compacting',
] as const

export type KillPoint = (typeof KILL_POINTS)[number]

/** Points at which a test plays a file system that cannot do what comes next. */
export type WeakPoint = 'folder-sync' | 'file-sync' | 'lock-link' | 'make-private'

export type WritePoint = KillPoint | WeakPoint

/** Called each time a point is reached, with the path at hand. */
export type WriteHook = (point: WritePoint, path: string) => void | Promise<void>

export const noWriteHook: WriteHook = () => undefined
