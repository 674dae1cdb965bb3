/** How pictures formed, at the pace at which they did. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { clipOfUrl } from '../../player/clip.ts'
import { keyOf, type Variant } from '../data/show.ts'
import { changeParams, navigate, useKeys, useRoute, useSession } from '../parts/hooks.ts'
import { Calm } from '../parts/states.tsx'
import { formatRoute } from '../route.ts'
import {
  type Choice,
  cueAfter,
  readChoice,
  SPEEDS,
  type Speed,
  STAGE_LAYOUTS,
  type StageLayout,
} from './choice.ts'
import { ControlBar } from './control-bar.tsx'
import { ReplayEngine, type Source } from './engine.ts'
import { PickBar } from './pick-bar.tsx'
import { Scrubber } from './scrubber.tsx'
import { ReplayStage } from './stage-box.tsx'

/** Rest on a finished picture, before a loop begins again or a playlist moves on. */
const HOLD_MS = 2000
/** How long a playlist stays on a picture without steps. */
const STILL_MS = 5000

export function ReplayView() {
  const { home, version, variants } = useSession()
  const route = useRoute()
  const choice = readChoice(route, variants)
  const engine = useEngine()
  const stage = useRef<HTMLDivElement>(null)
  const { main, shown, speed, loop, fade, layout } = choice
  const sourceOf = (variant: Variant): Source | null =>
    version === null
      ? null
      : {
          key: keyOf(variant),
          folder: home.folderUrl(version, variant),
          mark: variant.mark,
          clip: clipOfUrl(variant.file),
        }
  const sources = shown.flatMap((variant) => sourceOf(variant) ?? [])
  const keys = sources.map(({ folder, mark }) => folder + mark).join('\n')
  const latest = useRef({ choice, sources })
  latest.current = { choice, sources }
  const change = (params: Readonly<Record<string, string | null>>) => changeParams(route, 'replay', params)
  const move = (places: number) => moveOn(latest.current.choice, places, route.params)
  const toggleFull = () => void toggleFullScreen(stage.current)

  useEffect(() => engine.set(speed, loop, fade, HOLD_MS), [engine, speed, loop, fade])
  useEffect(() => {
    let isCurrent = true
    void engine.load(latest.current.sources).then(() => {
      if (!isCurrent) return
      // Who asks for less motion sees the finished picture, and starts it by hand.
      if (matchMedia('(prefers-reduced-motion: reduce)').matches) engine.seek(engine.totalMs)
      else engine.play()
      const next = cueAfter(latest.current.choice, 1)
      if (next !== null) engine.prepare(sourcesOfCue(variants, layout, next, sourceOf))
    })
    return () => {
      isCurrent = false
    }
  }, [engine, keys])

  const movesOn = engine.ended && choice.advance === 'auto' && cueAfter(choice, 1) !== null
  useEffect(() => {
    if (!movesOn) return
    const rest = setTimeout(() => move(1), engine.lead === null ? STILL_MS : HOLD_MS)
    return () => clearTimeout(rest)
  }, [movesOn, keys])

  useKeys((event) => {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key]
    if (act === undefined) return
    if (event.key === ' ' && event.target instanceof HTMLButtonElement) return
    if (
      event.target instanceof Element &&
      event.target.getAttribute('role') === 'slider' &&
      event.key.startsWith('Arrow')
    )
      return
    event.preventDefault()
    act({ engine, choice, change, move, toggleFull })
  })

  if (main === null)
    return (
      <Calm title="Nothing to replay yet">
        <p>As soon as a picture is finished, it can be played here.</p>
      </Calm>
    )
  return (
    <div class="replay">
      <ReplayStage
        box={stage}
        engine={engine}
        layout={layout}
        shown={shown}
        leftOut={choice.leftOut}
        onToggle={() => (engine.playing ? engine.pause() : engine.play())}
      />
      <div class="replay-panel">
        <Scrubber engine={engine} />
        <ControlBar engine={engine} choice={choice} onChange={change} onFull={toggleFull} onMove={move} />
        <PickBar choice={choice} variants={variants} onChange={change} />
      </div>
    </div>
  )
}

function useEngine(): ReplayEngine {
  const engine = useMemo(() => new ReplayEngine(), [])
  const [, setRevision] = useState(0)
  useEffect(() => engine.subscribe(() => setRevision(engine.revision)), [engine])
  useEffect(() => () => engine.close(), [engine])
  return engine
}

interface KeyContext {
  readonly engine: ReplayEngine
  readonly choice: Choice
  readonly change: (params: Readonly<Record<string, string | null>>) => void
  readonly move: (places: number) => void
  readonly toggleFull: () => void
}

const layoutKey = (layout: StageLayout) => (context: KeyContext) =>
  context.change({ layout: layout === 'one' ? null : layout })

/** Page keys are what presenters' clickers send. */
const KEYS: Readonly<Record<string, (context: KeyContext) => void>> = {
  ' ': ({ engine }) => (engine.playing ? engine.pause() : engine.play()),
  ArrowLeft: ({ engine }) => engine.stepBy(-1),
  ArrowRight: ({ engine }) => engine.stepBy(1),
  ArrowUp: ({ choice, change }) => change({ speed: neighbourSpeed(choice.speed, 1) }),
  ArrowDown: ({ choice, change }) => change({ speed: neighbourSpeed(choice.speed, -1) }),
  Home: ({ engine }) => engine.seek(0),
  End: ({ engine }) => engine.seek(engine.totalMs),
  f: ({ toggleFull }) => toggleFull(),
  l: ({ choice, change }) => change({ loop: choice.loop ? null : '1' }),
  c: ({ choice, change }) => change({ fade: choice.fade ? null : '1' }),
  n: ({ move }) => move(1),
  p: ({ move }) => move(-1),
  PageDown: ({ move }) => move(1),
  PageUp: ({ move }) => move(-1),
  ...Object.fromEntries(STAGE_LAYOUTS.map((layout, place) => [String(place + 1), layoutKey(layout)])),
}

function neighbourSpeed(speed: Speed, change: number): string | null {
  const at = SPEEDS.indexOf(speed) + change
  const next = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, at))] ?? 1
  return next === 1 ? null : String(next)
}

function moveOn(choice: Choice, places: number, params: Readonly<Record<string, string>>): void {
  const cue = cueAfter(choice, places)
  if (cue !== null) navigate(formatRoute('replay', [cue], params), true)
}

function sourcesOfCue(
  variants: readonly Variant[],
  layout: StageLayout,
  cue: string,
  sourceOf: (variant: Variant) => Source | null,
): readonly Source[] {
  const params: Record<string, string> = { layout }
  return readChoice({ view: 'replay', path: [cue], params }, variants).shown.flatMap(
    (each) => sourceOf(each) ?? [],
  )
}

async function toggleFullScreen(element: HTMLElement | null): Promise<void> {
  if (document.fullscreenElement !== null) return document.exitFullscreen()
  await element?.requestFullscreen()
}
