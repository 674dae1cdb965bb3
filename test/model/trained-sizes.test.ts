import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PregenError } from '../../src/errors.ts'
import { readTrainedSizes } from '../../src/model/trained-sizes.ts'
import { packageRoot } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

async function read(text: string | null) {
  const folder = await temporaryFolder()
  if (text !== null) await writeFile(join(folder, 'pregen.json'), text)
  return readTrainedSizes(folder)
}

it('reads the sizes of a folder, each of them optional', async () => {
  expect(await read('{ "trained_sizes": { "max_side": 256 } }')).toEqual({
    minSide: null,
    maxSide: 256,
    maxPixels: null,
  })
  expect(readTrainedSizes(join(packageRoot, 'models/backdrop'))).toMatchObject({ minSide: 64, maxSide: 256 })
})

it('has nothing to say without the file, or without the key', async () => {
  expect(await read(null)).toBeNull()
  expect(await read('{ "later": true }')).toBeNull()
})

it.each([
  ['{ "trained_sizes": { "max_side": "256" } }', /trained_sizes\.max_side/],
  ['{ "trained_sizes": { "max_side": 0 } }', /trained_sizes\.max_side/],
  ['{ "trained_sizes": { "maxSide": 256 } }', /maxSide/],
  ['{ "trained_sizes": {} }', /names no size/],
  ['{ "trained_sizes": { "min_side": 512, "max_side": 256 } }', /min_side above/],
  ['{ "trained_sizes": 256 }', /trained_sizes/],
  ['{ no json', /JSON/],
])('refuses %s', async (text, why) => {
  const fault = await read(text).then(
    () => null,
    (error: unknown) => error,
  )
  expect(fault).toBeInstanceOf(PregenError)
  expect(fault).toMatchObject({ code: 'E_MODEL_CONFIG', message: expect.stringMatching(why) })
  expect(fault).toMatchObject({ location: { file: expect.stringMatching(/pregen\.json$/) } })
})
