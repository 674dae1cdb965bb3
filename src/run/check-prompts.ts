/**
 * Prompts that the text encoders will not read to their end, found before a model loads: cut with the model's own
 * tokenizers, which are loaded only where a text may be too long.
 */
import { PregenError } from '../errors.ts'
import type { ChatTemplate, FamilyFacts } from '../families/family.ts'
import { familyOf, type TokenizerName } from '../families/index.ts'
import { clipTokens } from '../model/fixed-shapes.ts'
import { type Unit, unitName } from '../plan/unit.ts'
import { printable } from '../printable.ts'
import { withoutTail } from '../text/chat-tail.ts'
import type { PromptTokenizer } from '../text/tokenizer.ts'
import type { PreparedModel, PrepareWarning } from './prepared.ts'

type Model = Pick<PreparedModel, 'id' | 'folder' | 'facts'>

export interface CheckedPrompts {
  readonly warnings: readonly PrepareWarning[]
  readonly faults: readonly PregenError[]
}

/** A text on its way into an encoder. */
interface Reading {
  readonly encoder: string
  readonly tokenizer: TokenizerName
  /** The setting that it comes from. */
  readonly setting: string
  readonly text: string
  /** What a chat's template puts around it. */
  readonly template: ChatTemplate
  /** Tokens that the encoder reads, but for the template's first ones, which do not count. */
  readonly limit: number
  readonly dropped: number
}

interface Cut {
  readonly tokens: number
  readonly text: string
}

const NO_TEMPLATE: ChatTemplate = ['', '']
const MAX_WARNINGS = 50
const MAX_CUT_CHARS = 800
const MAX_NAMED = 3
/** So many texts in a row that fit, from the longest down, and the shorter ones are not looked at. */
const ENOUGH_THAT_FIT = 500

/** @param units as they are to be drawn: what changes one cue's texts is told for each cue */
export async function checkPrompts(
  units: readonly Unit[],
  models: ReadonlyMap<string, Model>,
): Promise<CheckedPrompts> {
  const byCue = new Map<string, { reading: Reading; cut: Cut; units: Unit[] }>()
  const faults: PregenError[] = []
  for (const model of models.values()) {
    const { cuts: rules }: FamilyFacts = familyOf(model.facts.family)
    if (rules === undefined) continue
    const clean = await cleaner(rules.isCleaned)
    const own = units.filter((unit) => unit.model === model.id)
    const tokenizers = createTokenizers(model)
    faults.push(...(await findLongWeighted(own, model, tokenizers)))
    const plain = own.filter(({ promptSyntax }) => promptSyntax === 'plain')
    const cuts = await findCuts(
      plain.flatMap((unit) => readingsOf(unit, model, clean)),
      tokenizers,
    )
    if (cuts.size === 0) continue
    for (const unit of plain) {
      const seen = new Set<string>()
      for (const reading of readingsOf(unit, model, clean)) {
        const cut = cuts.get(keyOf(reading))
        const what = `${reading.setting}\0${cut?.text}`
        // Encoders that cut the same text off say so once.
        if (cut === undefined || seen.has(what)) continue
        seen.add(what)
        const key = `${unit.cue}\0${keyOf(reading)}\0${reading.setting}`
        const entry = byCue.get(key)
        if (entry) entry.units.push(unit)
        else byCue.set(key, { reading, cut, units: [unit] })
      }
    }
  }
  const all = [...byCue.values()].map(({ reading, cut, units: [...own] }) => warningOf(reading, cut, own))
  const more = all.length - MAX_WARNINGS
  if (more <= 0) return { warnings: all, faults }
  const rest = { code: 'W_MORE_WARNINGS', message: `There are ${more} more prompts that are cut off.` }
  return { warnings: [...all.slice(0, MAX_WARNINGS), rest], faults }
}

type CleanPrompt = (text: string) => string

async function cleaner(isCleaned = false): Promise<CleanPrompt> {
  return isCleaned ? (await import('../text/clean-prompt.ts')).cleanPrompt : (text) => text
}

/** `dawn/seed-1, dawn/seed-2 and 3 more`: the units that one warning is of. */
export function nameUnits(units: readonly { readonly cue: string; readonly variant: string }[]): string {
  const named = units.slice(0, MAX_NAMED).map(unitName).join(', ')
  return units.length > MAX_NAMED ? `${named} and ${units.length - MAX_NAMED} more` : named
}

function warningOf({ setting, encoder, limit }: Reading, cut: Cut, units: readonly Unit[]): PrepareWarning {
  const shown = cut.text.length > MAX_CUT_CHARS ? `${cut.text.slice(0, MAX_CUT_CHARS)}…` : cut.text
  const message = `${nameUnits(units)}: ${setting} has ${cut.tokens} tokens, and ${encoder} reads ${limit}; cut off: "${printable(shown)}"`
  return { code: 'W_PROMPT_TRUNCATED', message }
}

/** What each encoder of the model reads for a unit, as its pipeline has it. */
function readingsOf(unit: Unit, { folder, facts }: Model, clean: CleanPrompt): Reading[] {
  const { contract } = familyOf(facts.family)
  const { cuts, takes }: FamilyFacts = familyOf(facts.family)
  const { prompt, prompt2, negativePrompt = '', negativePrompt2 } = unit
  // The first and the third encoder read the first text; an empty second text counts as none.
  const second = prompt2 ? (['prompt_2', prompt2] as const) : (['prompt', prompt] as const)
  const secondNegative = negativePrompt2
    ? (['negative_prompt_2', negativePrompt2] as const)
    : (['negative_prompt', negativePrompt] as const)
  // FLUX.2's negative prompt is always an empty one.
  const hasNegative = unit.guided && takes.includes('negativePrompt')
  const encoders = contract.flatMap((each) =>
    'tokenizer' in each && folder.components[each.component] !== undefined ? [each] : [],
  )
  const clipLimit = encoders[0] === undefined ? 0 : clipTokens(folder, encoders[0].tokenizer)
  return encoders.flatMap(({ component, tokenizer }, index): Reading[] => {
    const isSequence = facts.maxSequenceLength !== null && index === encoders.length - 1
    const sequence = unit.maxSequenceLength ?? cuts?.sequenceLength ?? 0
    const limit = isSequence ? sequence : cuts?.firstDecides ? clipLimit : clipTokens(folder, tokenizer)
    const texts = [
      index === 1 ? second : (['prompt', prompt] as const),
      ...(hasNegative ? [index === 1 ? secondNegative : (['negative_prompt', negativePrompt] as const)] : []),
    ]
    const { template = NO_TEMPLATE, droppedTokens: dropped = 0 } = cuts ?? {}
    return texts.map(([setting, text]) => {
      return { encoder: component, tokenizer, setting, text: clean(text), template, limit, dropped }
    })
  })
}

async function findCuts(
  readings: readonly Reading[],
  tokenizers: Tokenizers,
): Promise<ReadonlyMap<string, Cut>> {
  const distinct = new Map(readings.filter(mayBeCut).map((each) => [keyOf(each), each]))
  const cuts = new Map<string, Cut>()
  const fitting = new Map<string, number>()
  const bySize = [...distinct].map(([key, reading]) => ({
    key,
    reading,
    bytes: Buffer.byteLength(reading.text),
  }))
  for (const { key, reading } of bySize.sort((a, b) => b.bytes - a.bytes)) {
    const inARow = fitting.get(reading.encoder) ?? 0
    if (inARow >= ENOUGH_THAT_FIT) continue
    const tokenizer = await tokenizers(reading.tokenizer)
    const { template, limit, dropped } = reading
    const whole = template[0] + reading.text + template[1]
    const { untruncatedLength, truncatedText } = tokenizer.tokenize(whole, limit + dropped)
    fitting.set(reading.encoder, truncatedText === null ? inARow + 1 : 0)
    if (truncatedText === null) continue
    cuts.set(key, {
      tokens: untruncatedLength - dropped,
      text: withoutTail(truncatedText, template[1].trim()),
    })
  }
  return cuts
}

function keyOf({ encoder, limit, text }: Reading): string {
  return `${encoder}\0${limit}\0${text}`
}

/** A token is a byte of plain text at least; a begin, an end and T5's first blank come with them. */
function mayBeCut({ text, template, limit }: Reading): boolean {
  return template[0].length + text.length + template[1].length + 3 > limit || !/^[ -~]*$/.test(text)
}

type Tokenizers = (name: TokenizerName) => Promise<PromptTokenizer>

function createTokenizers({ folder }: Model): Tokenizers {
  const loaded = new Map<TokenizerName, Promise<PromptTokenizer>>()
  return (name) => {
    const known = loaded.get(name)
    if (known !== undefined) return known
    const loading = loadTokenizer(folder.tokenizers[name] ?? '')
    loaded.set(name, loading)
    return loading
  }
}

async function loadTokenizer(dir: string): Promise<PromptTokenizer> {
  const { createTokenizer } = await import('../text/create-tokenizer.ts')
  return createTokenizer(dir)
}

/** Weighted prompts go in as one or several chunks; an export for one length of text takes one. */
async function findLongWeighted(
  units: readonly Unit[],
  { id, facts, folder }: Model,
  tokenizers: Tokenizers,
): Promise<PregenError[]> {
  if (facts.fixed?.textTokens == null) return []
  const { chunkWeightedPrompt } = await import('../text/weighted-chunks.ts')
  const { contract } = familyOf(facts.family)
  const first = contract.find(
    (each) => 'tokenizer' in each && folder.components[each.component] !== undefined,
  )
  if (first === undefined || !('tokenizer' in first)) return []
  const faults: PregenError[] = []
  for (const unit of units.filter(({ promptSyntax }) => promptSyntax === 'a1111')) {
    const texts = [unit.prompt, unit.prompt2 ?? '', unit.negativePrompt ?? '', unit.negativePrompt2 ?? '']
    const tokenizer = await tokenizers(first.tokenizer)
    if (texts.every((text) => chunkWeightedPrompt(tokenizer, text).chunks.length === 1)) continue
    const message = `${unitName(unit)}: a prompt is longer than the ${facts.fixed.textTokens} tokens that the model "${id}" was exported for.`
    const help = 'Shorten it, take BREAK out of it, or export the model with free sizes.'
    faults.push(new PregenError('E_FIXED_SHAPE', message, { help }))
  }
  return faults
}
