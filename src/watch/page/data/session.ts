/** All that the page knows: the version looked at, its pictures, the runs, and what the chosen run tells. */
import { reduce } from '../../../run/reduce.ts'
import { INITIAL_STATE, type RunState } from '../../../run/state.ts'
import { followEvents } from './event-feed.ts'
import { fetchJson, HttpError } from './fetch-json.ts'
import type { Home, VersionRef } from './home.ts'
import { mergeRun } from './merge.ts'
import { isAtWork, pickRun, type RunEntry, readRuns } from './run-list.ts'
import type { Show, Variant } from './show.ts'
import { Store } from './store.ts'

export type Trouble =
  | { readonly kind: 'token' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'manifest'; readonly message: string }

const RUNS_EVERY_MS = 2500
const SHOW_EVERY_MS = 4000

export class Session extends Store {
  readonly home: Home
  versions: readonly VersionRef[] = []
  hasQueue = false
  version: VersionRef | null = null
  show: Show | null = null
  runs: readonly RunEntry[] = []
  run: RunEntry | null = null
  /** Of the run that is followed. */
  state: RunState | null = null
  /** The first answers are there. */
  loaded = false
  trouble: Trouble | null = null
  #wantedVersion: string | null = null
  #wantedRun: string | null = null
  #endFeed: (() => void) | null = null
  #showTimer: ReturnType<typeof setTimeout> | null = null
  #merged: { revision: number; variants: readonly Variant[] } = { revision: -1, variants: [] }

  constructor(home: Home) {
    super()
    this.home = home
  }

  /** Begins to load and, on a server, to follow. */
  async start(): Promise<void> {
    if (this.home.kind === 'static') {
      Object.assign(this, await this.home.overview())
      this.version = this.versions[0] ?? null
      await this.loadShow()
      this.loaded = true
      this.changed()
      return
    }
    await this.#lookAtRuns()
  }

  /** What the address asks for; null: whatever is best to look at. */
  choose(version: string | null, run: string | null): void {
    if (version === this.#wantedVersion && run === this.#wantedRun) return
    this.#wantedVersion = version
    this.#wantedRun = run
    if (this.loaded && this.home.kind === 'served') void this.#settle()
  }

  /** Variants of the version, with what the run has told. */
  get variants(): readonly Variant[] {
    if (this.#merged.revision !== this.revision) {
      this.#merged = { revision: this.revision, variants: mergeRun(this.show, this.state) }
    }
    return this.#merged.variants
  }

  /**
   * @param drains it finishes the pictures in hand first
   * @returns whether the server took it
   */
  async cancel(run: RunEntry, drains: boolean): Promise<boolean> {
    const path = `runs/${encodeURIComponent(run.id)}${drains ? '?drain=1' : ''}`
    const response = await fetch(this.home.apiUrl(path), { method: 'DELETE' })
    return response.ok
  }

  async loadShow(): Promise<void> {
    if (this.version === null) return
    const { version } = this
    try {
      const show = await this.home.show(version)
      if (version !== this.version) return
      this.show = show
      if (this.trouble?.kind === 'manifest') this.trouble = null
    } catch (error) {
      this.#note(error, 'manifest')
    }
    this.changed()
  }

  async #lookAtRuns(): Promise<void> {
    await this.#refreshRuns()
    setTimeout(() => void this.#lookAtRuns(), document.hidden ? RUNS_EVERY_MS * 4 : RUNS_EVERY_MS)
  }

  async #refreshRuns(): Promise<void> {
    try {
      const [runs, overview] = await Promise.all([
        fetchJson(this.home.apiUrl('runs')).then(readRuns),
        this.home.overview(),
      ])
      Object.assign(this, { runs, ...overview })
      if (this.trouble?.kind !== 'manifest') this.trouble = null
      await this.#settle()
      this.loaded = true
    } catch (error) {
      this.#note(error, 'lost')
    }
    this.changed()
  }

  async #settle(): Promise<void> {
    const run = this.runs.find(({ id }) => id === this.#wantedRun) ?? pickRun(this.runs)
    const version = this.#findVersion(run)
    const isOther = version?.prefix !== this.version?.prefix
    if (run?.id !== this.run?.id) this.#follow(run)
    this.run = run
    this.version = version
    if (isOther) this.show = null
    if (isOther || this.show === null) await this.loadShow()
    this.changed()
  }

  #findVersion(run: RunEntry | null): VersionRef | null {
    const wanted = this.versions.find(({ id }) => id === this.#wantedVersion)
    if (wanted) return wanted
    const ofRun = this.versions.find(({ id, prefix }) => prefix === run?.prefix || id === run?.version)
    if (ofRun) return ofRun
    // Nobody knows yet which version it makes: the pictures of another one are not its own.
    if (run?.state === 'running' && run.prefix === null) return null
    // A run that has finished nothing yet has no version on disk.
    if (run?.prefix != null && run.version !== null && isAtWork(run))
      return { id: run.version, prefix: run.prefix }
    return this.versions[0] ?? null
  }

  #follow(run: RunEntry | null): void {
    this.#endFeed?.()
    this.#endFeed = null
    this.state = run === null ? null : INITIAL_STATE
    if (run === null) return
    this.#endFeed = followEvents(this.home.apiUrl(`runs/${encodeURIComponent(run.id)}/events`), {
      onEvent: (event) => {
        const before = this.state ?? INITIAL_STATE
        const state = reduce(before, event)
        if (state === before) return
        this.state = state
        if (event.type === 'run-planned' && this.run?.prefix === null) void this.#refreshRuns()
        if (state.counts.done !== before.counts.done || state.end !== null) this.#loadShowSoon()
        this.changed()
      },
      onConnection: (stands) => {
        if (stands && this.trouble?.kind === 'lost') this.trouble = null
        this.changed()
      },
    })
  }

  #loadShowSoon(): void {
    this.#showTimer ??= setTimeout(() => {
      this.#showTimer = null
      void this.loadShow()
    }, SHOW_EVERY_MS)
  }

  #note(error: unknown, kind: 'manifest' | 'lost'): void {
    if (error instanceof HttpError && error.status === 401) this.trouble = { kind: 'token' }
    else if (
      kind === 'lost' ||
      (error instanceof TypeError && this.home.kind === 'served' && !navigator.onLine)
    )
      this.trouble = { kind: 'lost' }
    else this.trouble = { kind, message: error instanceof Error ? error.message : String(error) }
  }
}
