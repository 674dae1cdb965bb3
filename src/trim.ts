/** Trims in linear time: `/x+$/` starts over at every x of a text that goes on. */

/** `text` without the characters of `unwanted` at its end. */
export function trimEndOf(text: string, unwanted: string): string {
  let end = text.length
  while (end > 0 && unwanted.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}

/** `text` without the characters of `unwanted` at either end. */
export function trimOf(text: string, unwanted: string): string {
  let start = 0
  while (start < text.length && unwanted.includes(text[start]!)) start++
  return trimEndOf(text.slice(start), unwanted)
}
