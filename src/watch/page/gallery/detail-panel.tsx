/** One variant: its picture, what it was made of, how long each step took, its files, how to do it again. */
import { useEffect, useRef } from 'preact/hooks'
import { fileUrl, type Home, type VersionRef } from '../data/home.ts'
import type { Variant } from '../data/show.ts'
import { redoCommand } from '../model/command.ts'
import { formatSeconds, shortBytes } from '../model/format.ts'
import { CopyCommand } from '../parts/copy.tsx'
import { useKeys, useSession } from '../parts/hooks.ts'
import { VariantPicture } from '../parts/picture.tsx'
import { formatRoute } from '../route.ts'
import { TimingChart } from './timing-chart.tsx'
import { useTimeline } from './use-timeline.ts'

export function DetailPanel({ variant, onClose }: { variant: Variant; onClose: () => void }) {
  const { home, version, show, run } = useSession()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus({ preventScroll: true }), [])
  useKeys((event) => {
    if (event.key === 'Escape') onClose()
  })
  const timeline = useTimeline(variant)
  const target = {
    sheet: run?.sheet ?? null,
    out: run?.out ?? null,
    version: show?.version ?? version?.id ?? null,
  }
  const files = filesOf(variant, timeline?.steps ?? 0)
  return (
    <aside class="detail" aria-label={`${variant.cue} / ${variant.variant}`}>
      <div class="detail-head">
        <h2 ref={heading} tabIndex={-1}>
          {variant.cue} / {variant.variant}
        </h2>
        <button type="button" class="quiet" onClick={onClose}>
          Close
        </button>
      </div>
      <div class="detail-picture">
        {variant.type === 'video' && variant.state === 'done' && version !== null ? (
          <Moving variant={variant} home={home} version={version} />
        ) : (
          <VariantPicture variant={variant} />
        )}
      </div>
      {variant.fault !== null && (
        <p class="fault">
          <strong>{variant.fault.stage === '' ? 'Failed' : `Failed at: ${variant.fault.stage}`}</strong>
          {variant.fault.message} {variant.fault.help}
        </p>
      )}
      <p class="actions">
        <a class="button" href={formatRoute('replay', [variant.cue, variant.variant])}>
          Replay
        </a>
        <a class="button" href={formatRoute('replay', [variant.cue, variant.variant], { layout: 'side' })}>
          Compare
        </a>
      </p>
      {timeline !== null && <TimingChart timeline={timeline} />}
      <dl class="facts">
        {factsOf(variant).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {version !== null && files.length > 0 && (
        <details class="files">
          <summary>{files.length === 1 ? '1 file' : `${files.length} files`}</summary>
          <ul>
            {files.map((name) => (
              <li key={name}>
                <a href={fileUrl(home, version, variant, name)}>{name}</a>
              </li>
            ))}
          </ul>
        </details>
      )}
      <h3>Draw it again</h3>
      <CopyCommand command={redoCommand(target, variant.cue, variant.variant)} />
    </aside>
  )
}

/** The video itself; an animated WebP is a picture to browsers. */
function Moving({ variant, home, version }: { variant: Variant; home: Home; version: VersionRef }) {
  const { width, height } = variant.facts
  const size = { width: width ?? undefined, height: height ?? undefined }
  const src = fileUrl(home, version, variant, variant.file)
  const label = variant.prompt ?? `${variant.cue} / ${variant.variant}`
  if (variant.file === 'final.webp') return <img key={variant.mark} src={src} alt={label} {...size} />
  return (
    <video
      key={variant.mark}
      src={src}
      poster={fileUrl(home, version, variant, 'final.png')}
      {...size}
      aria-label={label}
      controls
      muted
      loop
      playsInline
      preload="metadata"
    />
  )
}

function filesOf(variant: Variant, steps: number): readonly string[] {
  if (variant.state !== 'done') return []
  return [
    ...Array.from({ length: steps }, (_, place) => `${place + 1}.png`),
    'final.png',
    ...(variant.type === 'video' ? [variant.file] : []),
    ...(variant.hasThumbnail ? ['final.thumb.webp'] : []),
    ...(variant.hasTiming ? ['timing.json'] : []),
  ]
}

const MODES: Readonly<Record<string, string>> = { img2img: 'image to image', exact_copy: 'exact copy' }

/** What is known of it, in the words of the sheet. */
function factsOf(variant: Variant): readonly (readonly [string, string])[] {
  const { facts } = variant
  const rows: (readonly [string, string | number | null])[] = [
    ['prompt', variant.prompt],
    ['negative prompt', variant.negativePrompt],
    ...Object.entries(variant.axes ?? {}).filter(([name]) => name !== 'seed'),
    ['program', variant.program],
    ['seed', facts.seed],
    ['steps', stepsOf(variant)],
    ['guidance scale', facts.guidanceScale],
    ['scheduler', facts.scheduler],
    ['model', facts.model],
    ['size', facts.width === null || facts.height === null ? null : `${facts.width} × ${facts.height}`],
    ['denoise strength', facts.denoiseStrength],
    ['reference', facts.referenceMode === null ? null : (MODES[facts.referenceMode] ?? null)],
    ['drawn in', facts.seconds === null ? null : formatSeconds(facts.seconds)],
    ['frames', facts.frames === null ? null : `${facts.frames} at ${facts.fps ?? '?'} a second`],
    ['length', facts.durationSeconds === null ? null : formatSeconds(facts.durationSeconds)],
    [variant.file, facts.sizeBytes === null ? null : shortBytes(facts.sizeBytes)],
    ['sha-256', facts.sha256],
  ]
  return rows.flatMap(([name, value]) =>
    value === null || value === '' ? [] : [[name, String(value)] as const],
  )
}

function stepsOf({ facts }: Variant): string | null {
  if (facts.steps === null) return null
  const isFewer = facts.stepsExecuted !== null && facts.stepsExecuted !== facts.steps
  return isFewer ? `${facts.stepsExecuted} of ${facts.steps} asked for` : String(facts.steps)
}
