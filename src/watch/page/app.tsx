/** The frame around the views: navigation, state of the run, what is wrong. */
import { useEffect } from 'preact/hooks'
import { GalleryView } from './gallery/gallery-view.tsx'
import { GridView } from './grid/grid-view.tsx'
import { LiveView } from './live/live-view.tsx'
import { PageHeader } from './parts/header.tsx'
import { useRoute, useSession } from './parts/hooks.ts'
import { Nothing, TroubleBar } from './parts/states.tsx'
import { useTabProgress } from './parts/tab-progress.ts'
import { ReplayView } from './replay/replay-view.tsx'
import type { View } from './route.ts'

const VIEW_COMPONENTS: Readonly<Record<View, () => preact.JSX.Element>> = {
  live: LiveView,
  gallery: GalleryView,
  grid: GridView,
  replay: ReplayView,
}

export function App() {
  const session = useSession()
  const route = useRoute()
  const { version, run } = route.params
  useEffect(() => session.choose(version ?? null, run ?? null), [session, version, run])
  useTabProgress(session)
  const isServed = session.home.kind === 'served'
  // Without a wish, a server shows what is at work; a published show its pictures.
  const view =
    route.view === null || (route.view === 'live' && !isServed) ? (isServed ? 'live' : 'gallery') : route.view
  const Shown = VIEW_COMPONENTS[view]
  const needsPictures = view !== 'live' && session.variants.length === 0
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
