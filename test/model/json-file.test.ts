import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readJsonFile } from '../../src/model/json-file.ts'
import { temporaryFolder } from '../support/temp.ts'

it("reads the bare infinities that Python's json writes, and leaves strings alone", async () => {
  const path = join(await temporaryFolder(), 'scheduler_config.json')
  await writeFile(
    path,
    '{ "lambda_min_clipped": -Infinity, "a": [Infinity, NaN], "b": "say \\"Infinity\\": NaN" }',
  )
  expect(readJsonFile(path, '')).toEqual({
    lambda_min_clipped: '-Infinity',
    a: ['Infinity', 'NaN'],
    b: 'say "Infinity": NaN',
  })
})
