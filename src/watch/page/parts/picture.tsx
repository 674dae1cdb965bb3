/** One picture of a variant, or its place while it is not there. */
import { useState } from 'preact/hooks'
import { fileUrl } from '../data/home.ts'
import { keyOf, type Variant } from '../data/show.ts'
import { useSession } from './hooks.ts'

const PLACES = { waiting: 'waiting', running: 'being drawn', failed: 'failed', done: '' } as const

/** @param small prefers the thumbnail where there is one */
export function VariantPicture({ variant, small = false }: { variant: Variant; small?: boolean }) {
  const { home, version, show } = useSession()
  const [broken, setBroken] = useState<string | null>(null)
  // What waits to be made again still has its old picture.
  const isListed = variant.state === 'done' || variant.facts.sha256 !== null
  if (version === null || !isListed) return <PlaceHolder text={PLACES[variant.state]} state={variant.state} />
  const name = small && variant.hasThumbnail ? 'final.thumb.webp' : 'final.png'
  const src = fileUrl(home, version, variant, name)
  if (broken === src) return <PlaceHolder text="final.png cannot be shown" state="failed" />
  const { width, height } = variant.facts
  return (
    <img
      key={src}
      src={src}
      alt={variant.prompt ?? keyOf(variant)}
      width={width ?? undefined}
      height={height ?? undefined}
      loading="lazy"
      decoding="async"
      data-show={show?.version}
      onError={() => setBroken(src)}
    />
  )
}

function PlaceHolder({ text, state }: { text: string; state: string }) {
  return (
    <span class="place" data-state={state}>
      {text}
    </span>
  )
}
