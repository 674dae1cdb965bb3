/** One word for one thing: what is exported stands once, and no function takes a row of arguments that only its order tells apart. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
/** Each family's pipeline exports these two: they are what a family is called by. */
const BY_EVERY_FAMILY = ['encodePrompt', 'generate']
const MOST_PARAMETERS = 4

const EXPORTED = /^export (?:declare )?(?:async )?(?:function\*?|class|const|interface|type|enum) (\w+)/gm

/** Paths and texts of a folder's own code. */
function textsIn(folder: string): (readonly [path: string, text: string])[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(tsx?|mjs)$/.test(name) && !/(^|\/)(node_modules|build)\//.test(name))
    .map((name) => [join(folder, name), readFileSync(join(root, folder, name), 'utf8')])
}

/** Functions with too many parameters; callbacks get as many as their caller hands over. */
function crowdedIn([path, text]: readonly [string, string]): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const isCallback = ts.isArrowFunction(node) && ts.isCallExpression(node.parent)
    if (ts.isFunctionLike(node) && !isCallback && node.parameters.length > MOST_PARAMETERS)
      found.push(`${path}: ${node.name?.getText() ?? 'a function'}`)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

describe('names', () => {
  it('that are exported stand in one file', () => {
    const places = new Map<string, string[]>()
    for (const [path, text] of textsIn('src'))
      for (const [, name = ''] of text.matchAll(EXPORTED))
        places.set(name, [...(places.get(name) ?? []), path])
    expect(places.get('PregenError')).toEqual(['src/errors.ts'])
    const twice = [...places].filter(([name, files]) => files.length > 1 && !BY_EVERY_FAMILY.includes(name))
    expect(twice).toEqual([])
  })

  it('tell arguments apart where there are more than four', () => {
    const texts = ['src', 'scripts', 'bench', 'test'].flatMap(textsIn)
    expect(texts.length).toBeGreaterThan(100)
    expect(texts.flatMap(crowdedIn)).toEqual([])
  })
})
