import { readFileSync } from 'node:fs'

/** What torch 2.13 drew: test/fixtures/rng/<name>.json. */
export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../fixtures/rng/${name}.json`, import.meta.url), 'utf8'))
}
