/** Runs the product's own modules in a process of their own, which a test may kill at any moment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface CompiledSource {
  /** Runs a module's text, which imports the product as `./src/…`; `argv` follows in `process.argv`. */
  start(script: string, argv?: readonly string[], options?: StartOptions): Child
  /** Writes a module's text and returns its path, for a process that starts others. */
  write(script: string): Promise<string>
  remove(): Promise<void>
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Shell words before node, such as a limit on file sizes. */
  readonly shell?: string
}

export interface Child {
  readonly process: ChildProcess
  readonly ended: Promise<ChildEnd>
}

export interface ChildEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Strips the types of the named rooms into a folder inside the package, where their imports resolve. Tests need no
 * build for it, and run what stands in src/ now.
 */
export async function compileSource(rooms: readonly string[]): Promise<CompiledSource> {
  const folder = join(root, 'node_modules/.cache/pregen-test', `${process.pid}-${randomUUID()}`)
  for (const path of await sourceFiles(new Set(['net', 'files', 'tensor', 'media', 'cue-sheet', ...rooms]))) {
    const text = await readFile(join(root, path), 'utf8')
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    const out = join(folder, path.replace(/\.ts$/, '.js'))
    await mkdir(dirname(out), { recursive: true })
    await writeFile(out, outputText)
  }
  let scripts = 0
  const nextFile = () => join(folder, `script-${++scripts}.mjs`)
  return {
    start(script, argv = [], options = {}) {
      const file = nextFile()
      writeFileSync(file, script)
      return startChild(file, argv, options)
    },
    async write(script) {
      const file = nextFile()
      await writeFile(file, script)
      return file
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

function startChild(file: string, argv: readonly string[], options: StartOptions): Child {
  // A shell, for limits; it becomes node, so that a signal to the child is a signal to node.
  const shell = `${options.shell ?? ':'}; exec "$0" "$@"`
  const child = spawn(
    'bash',
    ['-c', shell, process.execPath, '--no-warnings', '--expose-gc', file, ...argv],
    {
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { process: child, ended }
}

async function sourceFiles(rooms: Iterable<string>): Promise<string[]> {
  const files: string[] = []
  // What stands outside the rooms may be imported from anywhere.
  for (const room of ['.', ...rooms]) {
    for (const name of await readdir(join(root, 'src', room))) {
      if (name.endsWith('.ts')) files.push(join('src', room, name))
    }
  }
  return files
}
