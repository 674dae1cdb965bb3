/** Which of the model families a folder belongs to, told by the class that model_index.json names. */
import { didYouMean, nearest } from '../did-you-mean.ts'
import { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { FAMILIES, FAMILY_NAMES, type FamilyName } from '../families/index.ts'
import { shorten } from '../printable.ts'

/**
 * @param className `_class_name` of model_index.json; optimum's `ORT…` and diffusers' `…Img2Img…` and `…Inpaint…` names count too
 * @param requested what the sheet asked for instead: a family or a class name
 * @throws PregenError E_UNKNOWN_PIPELINE
 */
export function detectFamily(
  className: string,
  requested: string | undefined,
  indexPath: string,
): FamilyName {
  const name = requested ?? className
  const family = named(name)
  if (family !== undefined) return family
  const location = requested === undefined ? { file: indexPath } : undefined
  if (requested === undefined && name !== '') {
    const guess = slipOf(name)
    const drawn = `These are: ${ALL.map(({ title }) => title).join(', ')} (docs/models.md).`
    const help = guess === undefined ? drawn : `Did you mean "${guess}"? ${drawn}`
    const what = `${shorten(name, 100)} is not of a family that pregen draws.`
    throw new PregenError('E_UNKNOWN_PIPELINE', what, { help, location })
  }
  const what =
    name === ''
      ? 'model_index.json has no "_class_name", so the pipeline is unknown.'
      : `There is no pipeline "${name}".`
  throw new PregenError('E_UNKNOWN_PIPELINE', what, { help: didYouMean(name, ACCEPTED), location })
}

/** The class that a slip of the finger makes of `name`; SanaPipeline is none of Wan's, nor Flux2Pipeline of FLUX.1's. */
function slipOf(name: string): string | undefined {
  const guess = nearest(name, ACCEPTED)
  const digits = (text: string | undefined) => text?.replace(/\D/g, '')
  return guess?.[0] === name[0] && digits(guess) === digits(name) ? guess : undefined
}

const ALL: readonly (FamilyFacts & { readonly name: FamilyName })[] = FAMILIES
const ACCEPTED = [
  ...FAMILY_NAMES,
  ...ALL.flatMap(({ pipelineClass, otherClasses = [] }) => [pipelineClass, ...otherClasses]),
]

function named(name: string): FamilyName | undefined {
  const plain = name.replace(/^(ORT|Onnx)/, '').replace(/(Img2Img|Inpaint)(?=Pipeline$)/, '')
  return ALL.find(
    ({ name: own, pipelineClass, otherClasses = [] }) =>
      own === name || pipelineClass === plain || otherClasses.includes(plain),
  )?.name
}
