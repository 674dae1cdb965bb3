/** What Qwen3 is given for a prompt. */

/**
 * Qwen3's chat template for one user message with thinking off, as transformers' `apply_chat_template` renders it
 * (`tokenizer_config.json` of Qwen/Qwen3-4B and 8B): the prompt is neither trimmed nor escaped.
 */
export function flux2Template(prompt: string): string {
  return `<|im_start|>user\n${prompt}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n`
}
