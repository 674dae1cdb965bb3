/**
 * A family is one folder and one entry of a list: the built package gets both, and nothing else of it is touched. What is
 * started is the real command line with its real workers.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, it } from 'vitest'
import { bundle } from '../../scripts/bundle.mjs'
import { packageRoot, parseEvents } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'

const { folder: home } = createScratch()
const model = join(home, 'toy-model')
const modules = join(home, 'dist/modules')

beforeAll(async () => {
  for (const part of ['bin', 'dist']) cpSync(join(packageRoot, part), join(home, part), { recursive: true })
  for (const part of ['node_modules', 'models', 'package.json'])
    symlinkSync(join(packageRoot, part), join(home, part))

  // The folder …
  mkdirSync(join(modules, 'families/toy'))
  for (const name of ['facts', 'pipeline']) {
    const source = readFileSync(join(import.meta.dirname, 'toy', `${name}.ts`), 'utf8')
    const { outputText } = ts.transpileModule(source.replaceAll("'../../../src/", "'../../"), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        rewriteRelativeImportExtensions: true,
      },
    })
    writeFileSync(join(modules, 'families/toy', `${name}.js`), outputText)
  }
  // … and the entry.
  const list = join(modules, 'families/index.js')
  const [before = '', after] = readFileSync(list, 'utf8').split(/(?<=FAMILIES = \[[^\]]*)\]/)
  if (after === undefined) throw new Error('the list of families is not where it was')
  writeFileSync(list, `import { toy } from './toy/facts.js';\n${before}, toy]${after}`)
  await bundle(join(home, 'dist'))

  cpSync(join(packageRoot, 'test/fixtures/oracle/models/sd15-tiny'), model, { recursive: true })
  renameSync(join(model, 'unet'), join(model, 'toy_net'))
  writeFileSync(join(model, 'model_index.json'), JSON.stringify({ _class_name: 'ToyPipeline' }))
})

function pregen(...args: string[]) {
  return spawnSync(process.execPath, [join(home, 'bin/pregen.js'), ...args], { encoding: 'utf8', cwd: home })
}

function sheet(name: string, cue: string, pipeline = ''): string {
  const path = join(home, name)
  const text = `version: v\nmodels: { m: { path: toy-model${pipeline} } }\nprograms: { P0: {}, P1: {} }\ncues:\n  c: { ${cue} }\n`
  writeFileSync(path, text)
  return path
}

describe('a family that is a folder and an entry of the list', () => {
  it('plans, with its own defaults', () => {
    const path = sheet('plan.yaml', 'program: P1, prompt: x, seeds: [1]')
    const { stdout } = pregen('plan', path, '--json')
    expect(JSON.parse(stdout).units).toMatchObject([
      { steps: 3, stepsExecuted: 3, guidanceScale: 1, width: 64, previews: 'latent2rgb' },
    ])
  })

  it('draws, step pictures and all', () => {
    const path = sheet('run.yaml', 'program: P1, prompt: x, seeds: [1, 2], batch: 2, width: 64, height: 32')
    const out = join(home, 'out')
    const { stdout, stderr, status } = pregen(
      ...[
        'run',
        path,
        '--out',
        out,
        '--dry-run',
        '--provider',
        'cpu',
        '--threads',
        '1',
        '--format',
        'ndjson',
      ],
    )
    expect(stderr).toBe('')
    expect(status).toBe(0)
    const types = parseEvents(stdout).map(({ type }) => type)
    expect(types.filter((type) => type === 'unit-finished')).toHaveLength(2)
    const files = ['1.png', '2.png', '3.png', 'final.png', 'timing.json']
    const missing = files.filter((file) => !existsSync(join(out, 'foigoi/v/cues/c/seed-2', file)))
    expect(missing).toEqual([])
  })

  it('is named in messages and in the schema', () => {
    const wrong = pregen('plan', sheet('wrong.yaml', 'program: P0, prompt: x, seeds: [1]', ', pipeline: toi'))
    expect(wrong.stderr).toMatch(/Did you mean "toy"\? It must be sd, sdxl, [a-z0-9, ]+ or toy\./)
    expect(wrong.stderr).toMatch(/wrong\.yaml:2:/)
    expect(pregen('schema').stdout).toMatch(/"flux",[^\]]+"toy"/)
    expect(pregen('models', 'inspect', model).stdout).toMatch(/toy/)
    writeFileSync(join(model, 'model_index.json'), JSON.stringify({ _class_name: 'ToiPipeline' }))
    expect(pregen('models', 'inspect', model).stderr).toMatch(/Did you mean "ToyPipeline"\?/)
    writeFileSync(join(model, 'model_index.json'), JSON.stringify({ _class_name: 'ToyPipeline' }))
  })

  it('says which schedulers drive it, what fits its size, and which settings it reads', () => {
    const unfit = 'program: P0, prompt: x, seeds: [1], scheduler: flow-match-euler, width: 40, height: 32'
    const { stderr, status } = pregen('plan', sheet('unfit.yaml', unfit))
    expect(status).toBe(2)
    expect(stderr).toMatch(/unfit\.yaml:5:\d+ .*\n.*flow-match-euler follows a flow/)
    expect(stderr).toMatch(/unfit\.yaml:5:\d+ .*\n.*multiples of 32/)
    const idle = pregen('plan', sheet('idle.yaml', 'program: P0, prompt: x, seeds: [1], negative_prompt: y'))
    expect(idle.stderr + idle.stdout).toMatch(/cues\.c\.negative_prompt has no effect: Toy does not read it/)
  })
})
