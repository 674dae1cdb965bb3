/** diffusers' inpainting on tiny models, unpacked once for each file of tests; see test/fixtures/inpainting/make.py. */
import { spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../support/cli.ts'
import { createScratch } from '../support/scratch.ts'
import { assembleModel, type ExtraGolden, modelPath, ORACLE } from './oracle.ts'

export interface InpaintingCases {
  readonly cases: readonly ExtraGolden[]
  /** The folder of a case's model. */
  readonly modelOf: (name: string) => string
  /** A case's picture and mask. */
  readonly filesOf: (golden: ExtraGolden) => { readonly image: string; readonly mask: string }
}

/** Call it outside of tests: what it unpacks is gone when the file's tests are over. */
export function unpackInpainting(): InpaintingCases {
  const { folder } = createScratch()
  const archive = join(packageRoot, 'test/fixtures/inpainting/cases.tar.xz')
  const { status, stderr } = spawnSync('tar', ['-xJf', archive, '-C', folder], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${archive} cannot be unpacked: ${stderr}`)
  const own = readdirSync(join(folder, 'models'))
  for (const name of own) {
    const model = join(folder, 'models', name)
    const parts: Readonly<Record<string, string>> = JSON.parse(
      readFileSync(join(model, 'parts.json'), 'utf8'),
    )
    for (const [part, source] of Object.entries(parts)) {
      cpSync(modelPath(source), join(model, part), { recursive: true })
    }
  }
  const goldens = join(folder, 'goldens')
  return {
    cases: readdirSync(goldens).flatMap((model) =>
      readdirSync(join(goldens, model))
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => ({
          ...JSON.parse(readFileSync(join(goldens, model, name), 'utf8')),
          folder: join(goldens, model),
        })),
    ),
    modelOf: (name) => (own.includes(name) ? join(folder, 'models', name) : assembleModel(name)),
    filesOf: ({ requests: [params] }) => ({
      image: join(ORACLE, 'inputs', params!.image!),
      mask: join(folder, 'inputs', params!.mask!),
    }),
  }
}
