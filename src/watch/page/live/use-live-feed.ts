/** The live pictures of a run, drawn straight into a canvas. */
import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { LiveFeed, type LiveSettings, type LiveWay } from '../data/live-feed.ts'
import type { Progress } from '../data/progress.ts'
import { useSession } from '../parts/hooks.ts'

export interface Live {
  readonly canvas: RefObject<HTMLCanvasElement | null>
  readonly way: LiveWay
  readonly progress: Progress | null
  /** What the canvas shows; null: nothing yet. */
  readonly shown: { readonly key: string; readonly width: number; readonly height: number } | null
}

export function useLiveFeed(run: string, settings: LiveSettings): Live {
  const { home } = useSession()
  const canvas = useRef<HTMLCanvasElement>(null)
  const feed = useRef<LiveFeed | null>(null)
  const [way, setWay] = useState<LiveWay>('connecting')
  const [progress, setProgress] = useState<Progress | null>(null)
  const [shown, setShown] = useState<Live['shown']>(null)
  useEffect(() => {
    const opened = new LiveFeed((path) => home.apiUrl(path), run, settings, {
      onWay: setWay,
      onProgress: setProgress,
      onPicture: (picture, { cue, variant }) => {
        const { width, height } = picture
        if (canvas.current !== null) paint(canvas.current, picture)
        picture.close()
        const key = `${cue}/${variant}`
        setShown((before) =>
          before?.key === key && before.width === width && before.height === height
            ? before
            : { key, width, height },
        )
      },
    })
    feed.current = opened
    setShown(null)
    setProgress(null)
    return () => opened.close()
    // Settings are sent to the feed that is open, below.
  }, [home, run])
  useEffect(() => feed.current?.set(settings), [settings.every, settings.keep])
  return { canvas, way, progress, shown }
}

function paint(canvas: HTMLCanvasElement, picture: ImageBitmap): void {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width
    canvas.height = picture.height
  }
  canvas.getContext('2d')?.drawImage(picture, 0, 0)
}
