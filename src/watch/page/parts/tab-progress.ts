/** Title and icon of the tab tell the progress, so that a hidden one does too. */
import { useEffect } from 'preact/hooks'
import { outcomeOf } from '../../../run/state.ts'
import { isAtWork } from '../data/run-list.ts'
import type { Session } from '../data/session.ts'

/** Icons are files, one for each twelfth: addresses of made-up pictures would break the content policy. */
const ICONS = 12

export function useTabProgress(session: Session): void {
  const { state, run, show } = session
  const outcome = (state === null ? null : outcomeOf(state)) ?? run?.state ?? null
  const steps = state?.steps ?? { planned: 0, done: 0 }
  const share = steps.planned === 0 ? null : Math.min(1, steps.done / steps.planned)
  const works = outcome !== null && isAtWork({ state: outcome })
  const name = show?.version || session.version?.id || 'pregen'
  const title =
    works && share !== null
      ? `${Math.floor(share * 100)} % · ${name}`
      : outcome === 'failed' || outcome === 'died' || outcome === 'partial'
        ? `${outcome} · ${name}`
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
