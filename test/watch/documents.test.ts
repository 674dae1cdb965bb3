/** What docs/ tells of runs, held to the schemas that answers are made with. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { runStatusSchema } from '../../src/watch/runs/run-status.ts'
import { packageRoot } from '../support/cli.ts'

it('docs/run-status.schema.json is the schema of `pregen status --json`', async () => {
  const schema = {
    title: 'What `pregen status --json` and GET /api/runs/{id} tell of a run',
    ...z.toJSONSchema(runStatusSchema),
  }
  const path = join(packageRoot, 'docs/run-status.schema.json')
  // Made anew: UPDATE_DOCS=1 npx vitest run test/watch/documents.test.ts
  if (process.env.UPDATE_DOCS === '1') await writeFile(path, `${JSON.stringify(schema, null, 2)}\n`)
  const written = JSON.parse(await readFile(path, 'utf8'))
  expect(written).toEqual(JSON.parse(JSON.stringify(schema)))
})
