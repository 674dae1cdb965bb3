import { PregenError } from '../errors.ts'
import { isByteBpe, loadByteBpeTokenizer } from './byte-bpe-tokenizer.ts'
import { loadClipTokenizer } from './clip-tokenizer.ts'
import { loadT5Tokenizer } from './t5-tokenizer.ts'
import type { PromptTokenizer } from './tokenizer.ts'
import { isJsonObject, readTokenizerFiles } from './tokenizer-files.ts'

/**
 * The tokenizer of a folder, picked by `tokenizer_class` of its `tokenizer_config.json`, else by its files.
 *
 * @throws PregenError `E_TOKENIZER_MISSING`, `E_TOKENIZER_INVALID`, `E_TOKENIZER_UNREADABLE`,
 *   `E_TOKENIZER_UNSUPPORTED` for a class other than CLIP's, T5's and Qwen's
 */
export async function createTokenizer(dir: string): Promise<PromptTokenizer> {
  const { config, tokenizerJson } = await readTokenizerFiles(dir)
  const className = config.tokenizer_class
  if (typeof className === 'string' && className !== 'PreTrainedTokenizerFast') {
    if (/^CLIPTokenizer(Fast)?$/.test(className)) return loadClipTokenizer(dir)
    if (/^T5Tokenizer(Fast)?$/.test(className)) return loadT5Tokenizer(dir)
    if (/^Qwen2Tokenizer(Fast)?$/.test(className)) return loadByteBpeTokenizer(dir)
    throw new PregenError('E_TOKENIZER_UNSUPPORTED', `The tokenizer class ${className} is not supported.`, {
      help: 'Supported: CLIPTokenizer, T5Tokenizer, Qwen2Tokenizer, and their fast kinds.',
      location: { file: dir },
    })
  }
  if (isByteBpe(tokenizerJson)) return loadByteBpeTokenizer(dir)
  const isUnigram = isJsonObject(tokenizerJson?.model) && tokenizerJson.model.type === 'Unigram'
  return isUnigram ? loadT5Tokenizer(dir) : loadClipTokenizer(dir)
}
