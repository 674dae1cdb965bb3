/** Syntax of AUTOMATIC1111's web UI that pregen does not read: it would be drawn as text, and nobody would know why. */
import { shorten } from '../printable.ts'

const MAX_SHOWN_CHARS = 60
const EDITING = /:\s{0,10}\d{0,10}\.?\d{1,10}\s{0,10}$/
const EXTRA_NETWORK = /<(?:lora|lyco|hypernet):/i
const WEIGHT = /^\s{0,10}[+-]?[.\d]{1,10}\s{0,10}\)/

/** @returns what is there and what becomes of it, to go on after `cues.c.prompt has …`; null: nothing */
export function findTextRemains(text: string, syntax: 'plain' | 'a1111'): string | null {
  const network = EXTRA_NETWORK.exec(text)
  if (network !== null) {
    const end = text.indexOf('>', network.index)
    const shown = quoted(text.slice(network.index, end < 0 ? undefined : end + 1))
    return `${shown}, which stays text: pregen loads no LoRA; merge it into the model before the export`
  }
  return syntax === 'a1111' ? findUnread(text) : findWeight(text)
}

function findUnread(text: string): string | null {
  if (/\bAND\b/.test(text)) {
    return '"AND", which stays text: pregen does not compose prompts'
  }
  for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) {
    if (text[at - 1] === '\\') continue
    const end = endOfBracket(text, at)
    if (end < 0) return null
    const inner = text.slice(at + 1, end)
    const shown = quoted(text.slice(at, end + 1))
    if (inner.includes('|'))
      return `${shown}, which stays text: pregen does not alternate prompts from step to step`
    if (EDITING.test(inner.slice(-40)))
      return `${shown}, which stays text: pregen does not change prompts between steps`
    at = end
  }
  return null
}

/** The bracket that closes the one at `start`, inner ones passed over; −1: none does. */
function endOfBracket(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '[') depth++
    else if (text[at] === ']' && --depth === 0) return at
  }
  return -1
}

/** `(moon:1.3)` where weights are not read. */
function findWeight(text: string): string | null {
  let open = -1
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '(') open = at
    else if (char === ')') open = -1
    else if (char === ':' && open >= 0) {
      const weight = WEIGHT.exec(text.slice(at + 1, at + 33))
      if (weight === null) continue
      const shown = quoted(text.slice(open, at + 1 + weight[0].length))
      return `${shown}, which stays text: "prompt_syntax: a1111" reads weights`
    }
  }
  return null
}

function quoted(text: string): string {
  return `"${shorten(text, MAX_SHOWN_CHARS)}"`
}
