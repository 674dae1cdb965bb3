/** How many layers a text encoder has, for the one before the last. */
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
