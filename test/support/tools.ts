/** Programs of others that judge what is written for their systems (`scripts/test-needs.mjs` installs them). */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from './cli.ts'

export const toolsBin = join(packageRoot, 'node_modules/.cache/tools/bin')

export interface ToolResult {
  readonly code: number
  readonly output: string
}

/** @param input what it reads from stdin */
export function runTool(name: string, args: readonly string[], input = ''): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PATH: `${toolsBin}:${process.env.PATH}` }
    const child = execFile(
      join(toolsBin, name),
      args,
      { env, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code
        if (typeof code === 'number') resolve({ code, output: `${stdout}${stderr}` })
        else reject(new Error(`${name} (npm test installs it): ${error?.message}`))
      },
    )
    child.stdin?.end(input)
  })
}
