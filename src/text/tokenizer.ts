/** Prompts to token ids, as the tokenizers of a diffusers folder give them. */

export interface TokenizedPrompt {
  /** Padded and truncated to `maxLength`, with the tokenizer's special tokens. */
  readonly ids: Int32Array
  /** Number of ids before truncation and padding, special tokens included. */
  readonly untruncatedLength: number
  /** The text that truncation cut off (decoded tokens), or null when everything fitted. */
  readonly truncatedText: string | null
}

export interface PromptTokenizer {
  readonly kind: 'clip' | 't5' | 'byte-bpe'
  /** Length in tokens that a model input has unless `tokenize` is told otherwise (CLIP: 77). */
  readonly modelMaxLength: number
  /** Number of tokens of the model's own vocabulary; every id is below it unless the folder adds tokens. */
  readonly vocabSize: number
  /** The token that opens every prompt, or null where the tokenizer adds none (T5, Qwen). */
  readonly bosTokenId: number | null
  /** The token that closes every prompt, truncated ones too; Qwen's are closed by the chat template, not by this. */
  readonly eosTokenId: number
  /** What fills a short prompt: CLIP's eos, or "!" (id 0) in SDXL's and SD3's second tokenizer; T5's 0; Qwen's <|endoftext|>. */
  readonly padTokenId: number
  /** Ids without truncation and padding, special tokens included. */
  encode(text: string): readonly number[]
  /** @param maxLength defaults to `modelMaxLength` */
  tokenize(text: string, maxLength?: number): TokenizedPrompt
}
