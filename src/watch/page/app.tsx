/** The frame around the views: navigation, state of the run, what is wrong. */
import { useEffect } from 'preact/hooks'
import type { Session } from './data/session.ts'
import { GalleryView } from './gallery/gallery-view.tsx'
import { GridView } from './grid/grid-view.tsx'
import { LiveView } from './live/live-view.tsx'
import { PageHeader } from './parts/header.tsx'
import { useRoute, useSession } from './parts/hooks.ts'
import { Nothing, TroubleBar } from './parts/states.tsx'
import { useTabProgress } from './parts/tab-progress.ts'
import { QueueView } from './queue/queue-view.tsx'
import { ReplayView } from './replay/replay-view.tsx'
import type { Route, View } from './route.ts'

const VIEW_COMPONENTS: Readonly<Record<View, () => preact.JSX.Element>> = {
  live: LiveView,
  gallery: GalleryView,
  grid: GridView,
  replay: ReplayView,
  queue: QueueView,
}

export function App() {
  const session = useSession()
  const route = useRoute()
  const { version, run } = route.params
  useEffect(() => session.choose(version ?? null, run ?? null), [session, version, run])
  useTabProgress(session)
  const view = viewOf(session, route)
  const Shown = VIEW_COMPONENTS[view]
  const needsPictures = view !== 'live' && view !== 'queue' && session.variants.length === 0
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the pictures
      </button>
      <PageHeader view={view} />
      <TroubleBar />
      <main id="main" tabIndex={-1} class={`view view-${view}`}>
        {needsPictures ? <Nothing /> : <Shown />}
      </main>
    </>
  )
}

/** Without a wish, a server shows what is at work; a published show its pictures. */
function viewOf({ home, loaded, hasQueue, run, versions }: Session, { view }: Route): View {
  if (home.kind === 'static') return view === null || view === 'live' || view === 'queue' ? 'gallery' : view
  if (view === 'queue' && loaded && !hasQueue) return 'live'
  if (view !== null) return view
  return hasQueue && run === null && versions.length === 0 ? 'queue' : 'live'
}
