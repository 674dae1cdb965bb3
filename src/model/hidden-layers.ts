/** Layers of a text encoder: how many it has, for the one before the last, and which of them FLUX.2 reads. */
import type { JsonObject } from '../model-files/json-text.ts'

/**
 * @param outputs names of the graph's outputs: `hidden_states.0` is what goes into the first layer
 * @returns null where neither the config nor the graph tells
 */
export function hiddenLayers(config: JsonObject, outputs: readonly string[]): number | null {
  const declared = config.num_hidden_layers ?? config.num_layers
  if (typeof declared === 'number') return declared
  const states = outputs.flatMap((name) => /^hidden_states\.(\d{1,3})$/.exec(name)?.[1] ?? []).map(Number)
  // A single state says nothing of those beside it.
  return states.length < 2 ? null : Math.max(...states)
}

/** Of Qwen3 4B and 8B, where model_index.json names none: diffusers' default. */
const USUAL_LAYERS: readonly number[] = [9, 18, 27]

/**
 * Hidden states that are laid side by side, in this order. An encoder that gives others than the usual ones gives those
 * that were meant.
 * @param modelIndex whose `text_encoder_out_layers` wins
 */
export function outLayers(modelIndex: JsonObject, outputs: readonly string[]): readonly number[] {
  const { text_encoder_out_layers: named } = modelIndex
  if (Array.isArray(named) && named.length > 0) return named.map(Number)
  const given = outputs.flatMap((name) => /^hidden_states\.(\d{1,3})$/.exec(name)?.[1] ?? []).map(Number)
  const hasUsual = given.length === 0 || USUAL_LAYERS.every((layer) => given.includes(layer))
  return hasUsual ? USUAL_LAYERS : given.sort((left, right) => left - right)
}
