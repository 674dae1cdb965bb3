import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { DockerfileParser } from 'dockerfile-ast'
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

    // As the image is made, in a folder in place of its root: /opt/pregen, /show and /out lie below it.
    const image = readStage(await readFile(join(packageRoot, 'deploy/Dockerfile'), 'utf8'), 'cpu')
    const root = join(folder, 'root')
    const inRoot = (text: string) => text.replaceAll(/(?<![\w./-])\/(opt|show|out)\b/g, `${root}/$1`)
    let at = root
    let path = process.env.PATH ?? ''
    for (const { keyword, text } of image) {
      if (keyword === 'WORKDIR') at = inRoot(text)
      await mkdir(at, { recursive: true })
      if (keyword === 'ENV') path = inRoot(/PATH=(\S+)/.exec(text)?.[1] ?? '').replace('$PATH', path)
      if (keyword === 'COPY') {
        const [pattern = '', to = ''] = text.replace(/^--from=pack /, '').split(' ')
        expect(filename).toMatch(
          new RegExp(`^${basename(pattern).replaceAll('.', '\\.').replace('*', '.+')}$`),
        )
        await rename(join(folder, filename), join(at, to, filename))
      }
      if (keyword !== 'RUN') continue
      const wanted = /apt-get install -y --no-install-recommends ([^&]+)/.exec(text)?.[1]
      if (wanted === undefined) await run('sh', ['-ec', inRoot(withoutRoot(text))], { cwd: at, env })
      // What is installed here came from the same distribution's packages.
      else for (const name of wanted.trim().split(/\s+/)) await run('dpkg', ['-s', name])
    }
    const told = (keyword: string) => image.filter((one) => one.keyword === keyword).at(-1)?.text ?? ''
    expect([told('USER'), inRoot(told('WORKDIR'))]).toEqual(['54321:54321', join(root, 'show')])
    expect(await readdir(join(root, 'opt/pregen'))).not.toContain(filename)
    if (process.getuid?.() === 0) expect((await stat(join(root, 'out'))).uid).toBe(54321)
    const [program = ''] = JSON.parse(told('ENTRYPOINT'))
    const start = (args: readonly string[], cwd: string) =>
      run('/usr/bin/env', [program, ...args], { cwd, env: { ...env, PATH: path }, timeout: 120_000 })
    expect((await start(JSON.parse(told('CMD')), at)).stdout).toContain('Usage: pregen')

    const user = join(root, 'opt/pregen')
    const elsewhere = join(folder, 'elsewhere')
    await mkdir(elsewhere)
    await start(['init'], elsewhere)
    await start(['run', 'cues.yaml', '--dry-run'], elsewhere)
    expect(await readdir(join(elsewhere, 'out/foigoi'))).toHaveLength(1)

    await writeFile(join(user, 'use.mts'), await useOfEveryExport())
    const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
    const strict = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--types', 'node']
    const typeRoots = ['--typeRoots', join(packageRoot, 'node_modules/@types')]
    await run(process.execPath, [tsc, ...strict, ...typeRoots, 'use.mts'], { cwd: user })
  })
})

interface Instruction {
  readonly keyword: string
  readonly text: string
}

/** Instructions of one stage of a Dockerfile, lines that go on joined. */
function readStage(dockerfile: string, name: string): readonly Instruction[] {
  let stage = ''
  return DockerfileParser.parse(dockerfile)
    .getInstructions()
    .flatMap((instruction) => {
      const keyword = instruction.getKeyword()
      const text = (instruction.getArgumentsContent() ?? '').replaceAll(/\\\s*\n\s*/g, ' ')
      if (keyword === 'FROM') stage = / AS (\S+)/.exec(text)?.[1] ?? ''
      return stage === name && keyword !== 'FROM' ? [{ keyword, text }] : []
    })
}

/** Whoever is not root gives nothing away. */
function withoutRoot(command: string): string {
  return process.getuid?.() === 0 ? command : command.replace('chown', 'true')
}
