/** A program that uses the package, in a folder of its own where `pregen` is installed. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { packageRoot } from '../support/cli.ts'

const run = promisify(execFile)

export interface Consumer {
  readonly folder: string
  readonly write: (name: string, text: string) => Promise<string>
  /** @throws with tsc's words where the types do not fit; all declarations are checked, the package's too */
  readonly check: (...files: readonly string[]) => Promise<void>
  /** Strips a module's types and runs it. @returns its stdout */
  readonly run: (name: string) => Promise<string>
}

/** @param folder an empty one */
export async function createConsumer(folder: string): Promise<Consumer> {
  await mkdir(join(folder, 'node_modules'))
  await symlink(packageRoot, join(folder, 'node_modules/pregen'))
  await writeFile(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  const tsc = (...args: readonly string[]) => {
    const typeRoots = join(packageRoot, 'node_modules/@types')
    const strict = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node']
    const command = [
      join(packageRoot, 'node_modules/typescript/bin/tsc'),
      ...strict,
      '--typeRoots',
      typeRoots,
      ...args,
    ]
    return run(process.execPath, command, { cwd: folder })
  }
  return {
    folder,
    async write(name, text) {
      await writeFile(join(folder, name), text)
      return name
    },
    async check(...files) {
      try {
        await tsc('--noEmit', ...files)
      } catch (error) {
        throw new Error(error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error))
      }
    },
    async run(name) {
      const script = join(folder, name.replace(/\.ts$/, '.js'))
      const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext }
      const { outputText } = ts.transpileModule(await readFile(join(folder, name), 'utf8'), {
        compilerOptions,
      })
      await writeFile(script, outputText)
      // No telemetry, though this process's environment does not say so.
      const { ORT_DISABLE_TELEMETRY: _, ...env } = process.env
      const { stdout } = await run(process.execPath, [script], { cwd: folder, env, timeout: 300_000 })
      return stdout
    },
  }
}

/** A module that names every export of the package, and holds some types to what they must refuse. */
export async function useOfEveryExport(): Promise<string> {
  const index = await readFile(join(packageRoot, 'src/index.ts'), 'utf8')
  const names = [...index.matchAll(/^export (type )?\{([^}]+)\}/gms)].flatMap(([, onlyTypes, list = '']) =>
    list
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
      .map((name) => ({
        name: name.replace(/^type /, ''),
        isType: onlyTypes !== undefined || name.startsWith('type '),
      })),
  )
  if (names.length < 40) throw new Error(`only ${names.length} exports were found`)
  const values = names.filter(({ isType }) => !isType).map(({ name }) => name)
  const types = names.filter(({ isType }) => isType).map(({ name }) => name)
  return `import { ${names.map(({ name, isType }) => (isType ? `type ${name}` : name)).join(', ')} } from 'pregen'
export const values: readonly unknown[] = [${values.join(', ')}]
export type Types = [${types.join(', ')}]
export const code: ErrorCode = 'E_CANCELLED'
// @ts-expect-error there is no such code
export const typo: ErrorCode = 'E_CANCELED'
// @ts-expect-error a prompt is needed
export const draw: DrawRequest = { seed: 1 }
`
}
