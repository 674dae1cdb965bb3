/** Every regular expression literal of the source, and whether its shape alone bounds its work. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import ts from 'typescript'

const src = resolve(import.meta.dirname, '../../src')

export interface FoundExpression {
  /** `file:line` */
  readonly place: string
  readonly source: string
  readonly flags: string
}

export interface FoundExpressions {
  readonly literals: readonly FoundExpression[]
  /** Places of `RegExp(…)`, whose text nobody can judge beforehand. */
  readonly made: readonly string[]
}

export function findExpressions(): FoundExpressions {
  const literals: FoundExpression[] = []
  const made: string[] = []
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  for (const name of names) {
    const path = join(src, name)
    const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      const place = () =>
        `${relative(src, path)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
      if (ts.isRegularExpressionLiteral(node)) {
        const end = node.text.lastIndexOf('/')
        literals.push({ place: place(), source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
      }
      if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === 'RegExp')
        made.push(place())
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  return { literals, made }
}

/**
 * Whether nothing is repeated without limit; or one character (class) is, in an expression that is tried at one place
 * only, or that has matched once it gets there. Then no input takes more than linear time.
 */
export function isLinearByShape({ source, flags }: FoundExpression): boolean {
  const atoms: readonly string[] =
    source.match(/\\[pP]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\(\?(?:[:=!]|<[=!])|\{\d+,?\d*\}|./gsu) ?? []
  const unlimited = atoms.flatMap((atom, at) => (/^(?:[*+]|\{\d+,\})$/.test(atom) ? [at] : []))
  if (unlimited.length === 0) return true
  const [only, second] = unlimited
  if (only === undefined || second !== undefined || atoms[only - 1] === ')') return false
  const isAnchored = atoms[0] === '^' && !flags.includes('m') && !atoms.includes('|')
  const isLast = atoms.slice(only + 1).every((atom) => atom === ')')
  return isAnchored || isLast
}
