/** The pictures, on black; in full screen there is nothing else. */
import type { RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { keyOf, type Variant } from '../data/show.ts'
import type { StageLayout } from './choice.ts'
import type { ReplayEngine } from './engine.ts'

interface Props {
  readonly box: RefObject<HTMLDivElement | null>
  readonly engine: ReplayEngine
  readonly layout: StageLayout
  readonly shown: readonly Variant[]
  readonly leftOut: number
  readonly onToggle: () => void
}

export function ReplayStage({ box, engine, layout, shown, leftOut, onToggle }: Props) {
  const [split, setSplit] = useState(50)
  const isSlider = layout === 'slider' && shown.length > 1
  const columns = layout === 'cue' ? Math.ceil(Math.sqrt(shown.length * 1.6)) : shown.length
  const loading = engine.tiles.filter(({ frames, fault }) => frames === null && fault === null).length
  return (
    <div
      ref={box}
      class="stage"
      data-layout={isSlider ? 'slider' : layout}
      style={isSlider ? {} : { gridTemplateColumns: `repeat(${Math.max(1, columns)}, minmax(0, 1fr))` }}
    >
      {shown.map((variant, place) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the space bar does the same everywhere in this view
        <figure
          key={place}
          class="tile-stage"
          onClick={isSlider ? undefined : onToggle}
          style={isSlider && place === 1 ? { clipPath: `inset(0 0 0 ${split}%)` } : { clipPath: 'none' }}
        >
          <TileCanvas engine={engine} place={place} label={`${variant.cue} / ${variant.variant}`} />
          <figcaption data-side={isSlider ? place : undefined}>
            {variant.cue} / {variant.variant}
          </figcaption>
          {engine.tiles[place]?.fault != null && engine.tiles[place]?.source.key === keyOf(variant) && (
            <p class="tile-fault" role="alert">
              {variant.cue} / {variant.variant} cannot be shown: {engine.tiles[place]?.fault}
            </p>
          )}
        </figure>
      ))}
      {isSlider && <Divider split={split} onSplit={setSplit} />}
      <p class="stage-note" role="status">
        {!engine.ready && loading > 0
          ? `Loading ${engine.tiles.length - loading} of ${engine.tiles.length} …`
          : noteOf(engine, leftOut)}
      </p>
    </div>
  )
}

/** What is missing in what is shown. */
function noteOf(engine: ReplayEngine, leftOut: number): string {
  const faults = engine.tiles.flatMap(({ frames }) => frames?.faults ?? [])
  const still = engine.tiles.filter(({ frames }) => frames !== null && frames.timeline === null).length
  const parts = [
    faults.length > 0
      ? `${faults
          .map(({ file }) => file)
          .slice(0, 4)
          .join(', ')}: missing or damaged`
      : '',
    engine.ready && still === engine.tiles.length && still > 0 && faults.length === 0
      ? 'No steps were kept: the final picture'
      : '',
    leftOut > 0 ? `${leftOut} more are left out` : '',
  ]
  return parts.filter((part) => part !== '').join(' · ')
}

function TileCanvas({ engine, place, label }: { engine: ReplayEngine; place: number; label: string }) {
  const ref = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    engine.attach(place, ref.current)
    return () => engine.attach(place, null)
  }, [engine, place])
  return <canvas ref={ref} role="img" aria-label={label} />
}

/** The line between two pictures; dragged, or moved by the arrow keys. */
function Divider({ split, onSplit }: { split: number; onSplit: (split: number) => void }) {
  const drag = (event: PointerEvent) => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.parentElement : null
    if (box === null || event.buttons === 0) return
    const { left, width } = box.getBoundingClientRect()
    onSplit(Math.max(0, Math.min(100, ((event.clientX - left) / width) * 100)))
  }
  return (
    <div
      class="divider"
      role="slider"
      tabIndex={0}
      aria-label="Where one picture ends and the other begins"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(split)}
      style={{ left: `${split}%` }}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={drag}
      onKeyDown={(event) => {
        if (event.key === 'ArrowLeft') onSplit(Math.max(0, split - 2))
        if (event.key === 'ArrowRight') onSplit(Math.min(100, split + 2))
      }}
    />
  )
}
