/** Title and icon of the tab tell the progress, so that a hidden one does too. */
import { useEffect } from 'preact/hooks'
import { isAtWork } from '../data/run-list.ts'
import type { Session } from '../data/session.ts'

/** Icons are files, one for each twelfth: addresses of made-up pictures would break the content policy. */
const ICONS = 12

export function useTabProgress(session: Session): void {
  const { view, run, show } = session
  const state = view?.over ?? run?.state ?? null
  const share =
    view === null || view.stepsPlanned === 0 ? null : Math.min(1, view.stepsDone / view.stepsPlanned)
  const works = state !== null && isAtWork({ state })
  const name = show?.version || session.version?.id || 'pregen'
  const title =
    works && share !== null
      ? `${Math.floor(share * 100)} % · ${name}`
      : state === 'failed' || state === 'died' || state === 'partial'
        ? `${state} · ${name}`
        : `${name} · pregen`
  const icon = works && share !== null ? `icons/${Math.round(share * ICONS)}.svg` : 'icon.svg'
  useEffect(() => {
    document.title = title
  }, [title])
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel=icon]')
    const href = new URL(icon, document.baseURI).href
    if (link !== null && link.href !== href) link.href = href
  }, [icon])
}
