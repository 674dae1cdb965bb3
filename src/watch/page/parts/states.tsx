/** Calm sentences for when there is nothing to show, or something is wrong, each with what to do next. */
import type { ComponentChildren } from 'preact'
import { isAtWork } from '../data/run-list.ts'
import { CopyCommand } from './copy.tsx'
import { useSession } from './hooks.ts'

export function Calm({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="calm">
      <h1>{title}</h1>
      {children}
    </div>
  )
}

/** In place of a view that has no pictures. */
export function Nothing() {
  const { home, loaded, trouble, run, version } = useSession()
  if (trouble?.kind === 'manifest') {
    return (
      <Calm title="The manifest cannot be read">
        <p>manifest.json is there, but {trouble.message}. The next run writes it anew.</p>
        <CopyCommand command="pregen run cues.yaml" />
      </Calm>
    )
  }
  if (!loaded) return <Calm title={trouble?.kind === 'token' ? 'This page needs its key' : 'Loading …'} />
  if (home.kind === 'static') {
    return (
      <Calm title="Nothing is published here yet">
        <p>There is no manifest.json beside this page. A run that sends its pictures here writes one.</p>
        <CopyCommand command="pregen run cues.yaml" />
      </Calm>
    )
  }
  if (run !== null && isAtWork(run)) {
    return (
      <Calm title="No picture is finished yet">
        <p>The run is at work; its first picture appears here as soon as it is done.</p>
      </Calm>
    )
  }
  return version === null ? (
    <NoRun />
  ) : (
    <Calm title="This version holds no pictures">
      <p>It has no manifest, or an empty one. A run of its sheet fills it.</p>
      <CopyCommand command={`pregen run cues.yaml --version-id ${version.id}`} />
    </Calm>
  )
}

export function NoRun() {
  return (
    <Calm title="No run yet">
      <p>Nothing has been drawn in this folder. Start a run here, and it shows by itself:</p>
      <CopyCommand command="pregen run cues.yaml" />
    </Calm>
  )
}

/** One line above the view; the view stays. */
export function TroubleBar() {
  const { trouble, show, run } = useSession()
  const text = textOf()
  return (
    <div class="trouble" role="status" hidden={text === null}>
      {text}
    </div>
  )

  function textOf(): string | null {
    if (trouble?.kind === 'token') return 'This page needs its key: open the address that pregen printed.'
    if (trouble?.kind === 'lost') {
      return run !== null && isAtWork(run)
        ? 'Reconnecting. The run goes on.'
        : 'Reconnecting to pregen serve.'
    }
    if (trouble?.kind === 'manifest' && show !== null)
      return `The manifest could not be read again: ${trouble.message}.`
    if (show !== null && show.unreadable > 0) {
      return `${show.unreadable} of the manifest's entries could not be read and are left out.`
    }
    return null
  }
}
