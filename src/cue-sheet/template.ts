/** `prompt_template`: `{prompt}` and matrix axes in braces; `{{` and `}}` are literal braces. */

export type TemplatePart = { readonly text: string } | { readonly placeholder: string }

/** @returns undefined when a brace has no partner */
export function parseTemplate(template: string): readonly TemplatePart[] | undefined {
  const parts: TemplatePart[] = []
  let at = 0
  for (const match of template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g)) {
    if (match.index > at) parts.push({ text: template.slice(at, match.index) })
    at = match.index + match[0].length
    if (match[0] === '{{' || match[0] === '}}') parts.push({ text: match[0][0]! })
    else if (match[1] !== undefined) parts.push({ placeholder: match[1].trim() })
    else return undefined
  }
  if (at < template.length) parts.push({ text: template.slice(at) })
  return parts
}

/** Length of the filled template, found without filling it. */
export function filledLength(
  parts: readonly TemplatePart[],
  textOf: (placeholder: string) => string,
): number {
  return parts.reduce((sum, part) => sum + ('text' in part ? part.text : textOf(part.placeholder)).length, 0)
}

/** Fills a template. */
export function fillTemplate(
  parts: readonly TemplatePart[],
  textOf: (placeholder: string) => string,
): string {
  return parts.map((part) => ('text' in part ? part.text : textOf(part.placeholder))).join('')
}

/** The placeholders of a template, in order. */
export function placeholdersOf(parts: readonly TemplatePart[]): readonly string[] {
  return parts.flatMap((part) => ('placeholder' in part ? [part.placeholder] : []))
}
