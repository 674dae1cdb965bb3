import { FLUX2_TEMPLATE } from './facts.ts'

/** What Qwen3 is given for a prompt. */
export function flux2Template(prompt: string): string {
  const [before, after] = FLUX2_TEMPLATE
  return before + prompt + after
}
