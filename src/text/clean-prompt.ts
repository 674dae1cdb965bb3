// biome-ignore-all lint/suspicious/noControlCharactersInRegex: garbled text is made of them.
/** Prompts as diffusers' video pipelines read them: mended by ftfy, unescaped, with single spaces. */
import { fixText } from './fix-text.ts'
import { unescapeHtml } from './html-entities.ts'

/** `prompt_clean` of diffusers' Wan pipelines. */
export function cleanPrompt(prompt: string): string {
  return collapsed(unescapeHtml(unescapeHtml(fixText(prompt))))
}

/** Python's white space is Unicode's, and the four separators of ASCII; U+FEFF, which JavaScript adds, is none. */
const SPACES = /[\p{White_Space}\u001c-\u001f]+/gu

function collapsed(text: string): string {
  const single = text.replace(SPACES, ' ')
  const start = single.startsWith(' ') ? 1 : 0
  return single.slice(start, single.length > 1 && single.endsWith(' ') ? -1 : undefined)
}
