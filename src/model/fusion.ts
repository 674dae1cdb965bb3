/** Whether a denoiser's attention is one operator, as CUDA has a fast kernel for, or the three that exporters write. */
import type { FamilyFacts } from '../families/family.ts'
import { type FamilyName, familyOf } from '../families/index.ts'
import type { OnnxHeader } from './onnx-header.ts'

/** With which the command was tried. */
const TOOL_VERSION = '1.30.0'

const DENOISERS: ReadonlySet<string> = new Set(['unet', 'transformer', 'transformer_2'])

/** It needs no GPU. It breaks off with numpy 2.4, and is to be left out of later releases of onnxruntime. */
const TOOL_NEEDS = `onnxruntime==${TOOL_VERSION} onnx sympy "numpy<2.4"`

export interface Unfused {
  /** One line, without a full stop. */
  readonly problem: string
  /** The command that fuses, or why there is none. */
  readonly help: string
}

/** @returns null where nothing is to be gained: attention is fused, or there is none */
export function findUnfused(
  { family, path }: { readonly family: FamilyName; readonly path: string },
  components: readonly { readonly name: string; readonly header: OnnxHeader }[],
): Unfused | null {
  const parts = components.filter(
    ({ name, header }) => DENOISERS.has(name) && header.hasSoftmax && !header.hasFusedAttention,
  )
  if (parts.length === 0) return null
  const names = parts.map(({ name }) => name).join(' and ')
  const problem = `the attention of ${names} is not fused: about twice as slow on CUDA, the same on the CPU`
  const { hasFusableAttention }: FamilyFacts = familyOf(family)
  if (hasFusableAttention !== true) {
    return { problem, help: "onnxruntime's tool does not fuse the attention of this family." }
  }
  const isHalf = parts.some(({ header }) => header.weightTypes.includes('float16'))
  const from = isHalf ? 'The tool reads fp32 exports: make one, then run' : 'For a GPU run'
  const help = `${from}: ${fusionCommand(path)}`
  return { problem, help }
}

function fusionCommand(path: string): string {
  const word = /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
  const fused = word.endsWith("'") ? `${word.slice(0, -1)}-fused'` : `${word}-fused`
  return `pip install ${TOOL_NEEDS} && python -m onnxruntime.transformers.models.stable_diffusion.optimize_pipeline -i ${word} -o ${fused} --float16`
}
