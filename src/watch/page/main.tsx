/** Starts the page. */
import { render } from 'preact'
import { App } from './app.tsx'
import { findHome } from './data/home.ts'
import { Session } from './data/session.ts'
import { SessionContext } from './parts/hooks.ts'
import { applyTheme, readPreferences } from './parts/preferences.ts'
import { parseRoute } from './route.ts'
import './styles/base.css'
import './styles/live.css'
import './styles/gallery.css'
import './styles/grid.css'
import './styles/replay.css'
import './styles/queue.css'

applyTheme(readPreferences().theme)
const session = new Session(findHome())
const { params } = parseRoute(location.hash)
session.choose(params.version ?? null, params.run ?? null)
void session.start()
const root = document.getElementById('page')
if (root !== null) {
  render(
    <SessionContext.Provider value={session}>
      <App />
    </SessionContext.Provider>,
    root,
  )
}
