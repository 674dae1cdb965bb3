/** What a worker process reads before it answers: a run waits for it. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/cli.ts'

const bundle = (name: string) => readFileSync(`${packageRoot}/dist/engine/${name}.js`, 'utf8')
const SCHEMAS = '$ZodType'

describe.each(['inference-process', 'preview-process'])('%s', (name) => {
  it('is one file beside the packages that it needs', () => {
    const imported = [...bundle(name).matchAll(/^import (?:[^'"]* from )?["']([^'"]+)["'];$/gm)]
      .map(([, path = '']) => path)
      .filter((path) => !path.startsWith('node:'))
    expect(imported).toContain('onnxruntime-node')
    expect(imported.filter((path) => path.startsWith('.'))).toEqual([])
  })

  it('does without the library of schemas', () => {
    expect(bundle(name)).not.toContain(SCHEMAS)
  })
})

it('the library of schemas is known by its name', () => {
  expect(readFileSync(`${packageRoot}/dist/modules/zod.js`, 'utf8')).toContain(SCHEMAS)
})
