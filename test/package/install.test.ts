import { execFile } from 'node:child_process'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { useOfEveryExport } from '../library/consumer.ts'
import { packageRoot } from '../support/cli.ts'
import { temporaryFolder } from '../support/temp.ts'

const run = promisify(execFile)
// The provider's library comes from NuGet, which a test must not need.
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }

describe('the package', () => {
  it('works where it is installed, from any folder, with its types', { timeout: 300_000 }, async () => {
    const folder = await temporaryFolder()
    const { stdout: packed } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      {
        cwd: packageRoot,
        env,
        maxBuffer: 1 << 26,
      },
    )
    const [{ filename, files }] = JSON.parse(packed)
    const names: string[] = files.map((file: { path: string }) => file.path)
    expect(names).toEqual(
      expect.arrayContaining(['bin/pregen.js', 'dist/index.d.ts', 'models/backdrop/model_index.json']),
    )
    expect(names.filter((name) => /^(test|bench|src|models\/backdrop\/training)\//.test(name))).toEqual([])

    const user = join(folder, 'user')
    await mkdir(user)
    await writeFile(join(user, 'package.json'), '{ "name": "user", "private": true, "type": "module" }')
    await run('npm', ['install', '--no-audit', '--no-fund', '--no-progress', join(folder, filename)], {
      cwd: user,
      env,
    })

    const bin = join(user, 'node_modules/.bin/pregen')
    const elsewhere = join(folder, 'elsewhere')
    await mkdir(elsewhere)
    await run(bin, ['init'], { cwd: elsewhere, env })
    await run(bin, ['run', 'cues.yaml', '--dry-run'], { cwd: elsewhere, env, timeout: 120_000 })
    expect(await readdir(join(elsewhere, 'out/foigoi'))).toHaveLength(1)

    await writeFile(join(user, 'use.ts'), await useOfEveryExport())
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
    const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node']
    const typeRoots = ['--typeRoots', join(packageRoot, 'node_modules/@types')]
    await run(process.execPath, [tsc, ...strict, ...typeRoots, 'use.ts'], { cwd: user })
  })
})
