/** What components share: the session, the route, sizes. */
import { createContext, type RefObject } from 'preact'
import { useContext, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Session } from '../data/session.ts'
import { formatRoute, parseRoute, type Route, type View } from '../route.ts'

export const SessionContext = createContext<Session | null>(null)

/** The session; the component is drawn again whenever it changes. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === null) throw new Error('there is no session around this component')
  const [, setRevision] = useState(session.revision)
  useEffect(() => session.subscribe(() => setRevision(session.revision)), [session])
  return session
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const onChange = () => setHash(location.hash)
    addEventListener('hashchange', onChange)
    return () => removeEventListener('hashchange', onChange)
  }, [])
  return parseRoute(hash)
}

/** Goes to another address of the page. `replace` leaves no trace in the history: for filters and sliders. */
export function navigate(hash: string, replace = false): void {
  if (!replace) {
    location.hash = hash
    return
  }
  history.replaceState(null, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

/** The same view with some parameters changed. */
export function changeParams(
  route: Route,
  view: View,
  changes: Readonly<Record<string, string | null>>,
): void {
  navigate(formatRoute(view, route.path, { ...route.params, ...changes }), true)
}

export interface Size {
  readonly width: number
  readonly height: number
}

/** Size of an element, in CSS pixels; zero before it is known. */
export function useSize<Element extends HTMLElement>(): readonly [RefObject<Element | null>, Size] {
  const ref = useRef<Element>(null)
  const [size, setSize] = useState<Size>({ width: 0, height: 0 })
  useLayoutEffect(() => {
    const element = ref.current
    if (element === null) return
    const measure = () =>
      setSize((before) =>
        before.width === element.clientWidth && before.height === element.clientHeight
          ? before
          : { width: element.clientWidth, height: element.clientHeight },
      )
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    measure()
    return () => observer.disconnect()
  }, [])
  return [ref, size]
}

/** A key pressed while nothing is typed and no dialog is open. */
export function useKeys(onKey: (event: KeyboardEvent) => void): void {
  const latest = useRef(onKey)
  latest.current = onKey
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const { target } = event
      if (target instanceof Element && target.closest('input, select, textarea, dialog, [contenteditable]'))
        return
      latest.current(event)
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [])
}

const USUAL_PX = 14

/** How much larger than usual the page's text is: on wide screens, or as the viewer wants it. */
export function textScale(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL_PX
}
