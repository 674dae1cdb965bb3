/** YAML text → syntax tree, with caps that hold before the recursive part of the parser sees the text. */
import type { CST, Document, ParsedNode, Parser, YAMLError } from 'yaml'
import type { SourceLocation } from '../errors.ts'
import { describeOddIndent, INDENT_HELP, oddIndentOf } from './blanks.ts'
import { explainSyntax } from './explain-syntax.ts'
import type { Faults } from './faults.ts'
import { yaml } from './yaml.ts'

/** Deeper collections than this are refused. A sheet needs six. */
export const MAX_DEPTH = 32
export const MAX_SHEET_BYTES = 1024 * 1024

/** Characters of a line that are looked at for its indentation. */
const MAX_INDENT = 1000

/** Errors of the parser that are looked at: each is looked up in its line, which may be the whole file. */
const MAX_ERRORS = 1000

export interface ScannedSheet {
  readonly document: Document.Parsed<ParsedNode, true>
  readonly text: string
  /** The place of a character offset. */
  readonly place: (offset: number) => SourceLocation
}

/** Parses one document; syntax faults go to `faults`. undefined: there is nothing to go on with. */
export function scanSheet(text: string, file: string, faults: Faults): ScannedSheet | undefined {
  const { Composer, Lexer, LineCounter, Parser } = yaml()
  const lines = new LineCounter()
  const place = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(Math.min(offset, text.length))
    return { file, line, column: col }
  }
  lines.addNewLine(0)
  const parser = new Parser(lines.addNewLine)
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (parser.stack.length > MAX_DEPTH && openCollections(parser) > MAX_DEPTH) {
      const help = `A sheet may nest ${MAX_DEPTH} deep at most.`
      faults.add(
        'E_SHEET_TOO_DEEP',
        place(parser.offset - lexeme.length),
        'The sheet is nested too deeply.',
        help,
      )
      return undefined
    }
  }
  for (const token of parser.end()) tokens.push(token)

  const composer = new Composer({ intAsBigInt: true, uniqueKeys: false, version: '1.2', strict: true })
  const [document, second] = withoutStacks(() => [...composer.compose(tokens, true, text.length)])
  if (document === undefined) return undefined
  if (second !== undefined) {
    const offset = text.indexOf('---', document.range[1])
    const message = 'The file holds several YAML documents.'
    faults.add(
      'E_SEVERAL_DOCUMENTS',
      place(offset < 0 ? second.range[0] : offset),
      message,
      'One sheet a file: take the "---" away, or split the file.',
    )
  }
  // One broken place makes the parser stumble over all that follows: only the first is news.
  const tabs = document.errors.slice(0, MAX_ERRORS).filter((error) => isTab(error, text))
  const [first] = document.errors
  for (const error of tabs.length > 0 ? tabs : first ? [first] : [])
    addSyntaxFault(error, text, place, faults)
  for (const warning of document.warnings.slice(0, MAX_ERRORS)) addSyntaxFault(warning, text, place, faults)
  // What the parser made of broken text is not worth judging further.
  return document.errors.length > 0 ? undefined : { document, text, place }
}

/** The parser makes an error of each of its faults, whose stacks cost more than all the rest, and nobody reads. */
function withoutStacks<T>(work: () => T): T {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return work()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Collections around the place that the parser has reached. Its stack also holds the document and a scalar at hand. */
function openCollections(parser: Parser): number {
  return parser.stack.filter(({ type }) => COLLECTIONS.has(type)).length
}

const COLLECTIONS: ReadonlySet<string> = new Set(['block-map', 'block-seq', 'flow-collection'])

const QUOTE_HELP = `Between { and } a value with \${NAME} in it must stand in quotes.`

function isTab(error: YAMLError, text: string): boolean {
  return error.code === 'TAB_AS_INDENT' || /^ *\t/.test(lineBefore(text, error.pos[0]))
}

function addSyntaxFault(
  error: YAMLError,
  text: string,
  place: (offset: number) => SourceLocation,
  faults: Faults,
): void {
  const location = place(error.pos[0])
  const odd = findOddIndent(error.pos[0], text)
  const message = error.message.split('\n')[0]!.replace(/:$/, '.')
  if (odd >= 0) {
    faults.add('E_BLANK_INDENT', place(odd), describeOddIndent(text.slice(odd, odd + 2)), INDENT_HELP)
  } else if (isTab(error, text)) {
    faults.add('E_TAB_INDENT', location, 'A tab indents this line.', 'YAML indents with spaces only.')
  } else if (error.code === 'TAG_RESOLVE_FAILED') {
    const help = 'A sheet needs no tags (words that begin with "!"): take it away.'
    faults.add('E_UNKNOWN_TAG', location, message, help)
  } else {
    const otherwise =
      text[error.pos[0] - 1] === '$' ? QUOTE_HELP : 'Check the indentation, quotes and brackets here.'
    const { what, help } = explainSyntax(error, text) ?? { what: message, help: otherwise }
    faults.add('E_YAML_SYNTAX', location, what, help)
  }
}

function lineBefore(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', Math.max(0, offset - 1)) + 1
  return text.slice(start, offset + 1)
}

/** Where an odd blank indents the line of an error, the one before it or one of the two after it; −1: nowhere. */
function findOddIndent(offset: number, text: string): number {
  const before = text.lastIndexOf('\n', Math.max(0, offset - 1))
  let start = (before <= 0 ? -1 : text.lastIndexOf('\n', before - 1)) + 1
  for (let line = 0; line < 4 && start <= text.length; line++) {
    const end = text.indexOf('\n', start)
    const at = oddIndentOf(text.slice(start, Math.min(end < 0 ? text.length : end, start + MAX_INDENT)))
    if (at >= 0) return start + at
    if (end < 0) return -1
    start = end + 1
  }
  return -1
}
