import { useState } from 'preact/hooks'
import { expectedLeftMs, outcomeOf } from '../../../run/state.ts'
import { isAtWork } from '../data/run-list.ts'
import type { Session } from '../data/session.ts'
import { formatLeft } from '../model/format.ts'
import { formatRoute, VIEWS, type View } from '../route.ts'
import { changeParams, useRoute, useSession } from './hooks.ts'
import { applyTheme, keepPreferences, readPreferences } from './preferences.ts'

const NAMES: Readonly<Record<View, string>> = {
  live: 'Live',
  gallery: 'Gallery',
  grid: 'Grid',
  replay: 'Replay',
  queue: 'Queue',
}

export function PageHeader({ view }: { view: View }) {
  const session = useSession()
  const route = useRoute()
  const views = VIEWS.filter((name) => {
    if (name === 'live') return session.home.kind === 'served'
    return name !== 'queue' || session.hasQueue
  })
  const kept = { version: route.params.version ?? null, run: route.params.run ?? null }
  return (
    <header class="header">
      <strong class="brand">pregen</strong>
      {view !== 'queue' && <Version view={view} />}
      <nav aria-label="Views">
        {views.map((name) => (
          <a key={name} href={formatRoute(name, [], kept)} aria-current={name === view ? 'page' : undefined}>
            {NAMES[name]}
          </a>
        ))}
      </nav>
      <span class="space" />
      <RunLine session={session} />
      <ThemeButton />
    </header>
  )
}

function Version({ view }: { view: View }) {
  const session = useSession()
  const route = useRoute()
  const id = session.show?.version || session.version?.id || ''
  if (session.versions.length < 2) return <span class="version">{id}</span>
  return (
    <select
      class="version"
      aria-label="Version"
      value={session.version?.id}
      onChange={({ currentTarget }) =>
        changeParams({ ...route, path: [] }, view, { version: currentTarget.value })
      }
    >
      {session.versions.map((version) => (
        <option key={version.prefix} value={version.id}>
          {version.id}
        </option>
      ))}
    </select>
  )
}

/** `running · 16 of 25 · 38 s left`. */
function RunLine({ session }: { session: Session }) {
  const { run, state } = session
  if (run === null || state === null) return null
  const name = outcomeOf(state) ?? run.state
  const { planned, done, skipped } = state.counts
  const parts = [name]
  if (planned > 0) parts.push(`${done + skipped} of ${planned}`)
  const left = expectedLeftMs(state)
  if (isAtWork({ state: name }) && left !== null) parts.push(`${formatLeft(left)} left`)
  if (name === 'queued' && run.position !== null) parts.push(`place ${run.position}`)
  return (
    <span class="run-state" data-state={name}>
      <span class="dot" aria-hidden="true" />
      <span class="run-state-text">{parts.join(' · ')}</span>
    </span>
  )
}

const NEXT_THEME = { system: 'dark', dark: 'light', light: 'system' } as const
const THEME_NAMES = { system: 'Auto', dark: 'Dark', light: 'Light' } as const

function ThemeButton() {
  const [theme, setTheme] = useState(readPreferences().theme)
  const onClick = () => {
    const next = NEXT_THEME[theme]
    keepPreferences({ ...readPreferences(), theme: next })
    applyTheme(next)
    setTheme(next)
  }
  return (
    <button
      type="button"
      class="quiet theme"
      onClick={onClick}
      aria-label={`Colours: ${THEME_NAMES[theme]}. Change`}
    >
      {THEME_NAMES[theme]}
    </button>
  )
}
