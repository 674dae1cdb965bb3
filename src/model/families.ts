/** Which of the model families a folder belongs to, told by the class that model_index.json names. */
import { didYouMean } from '../did-you-mean.ts'
import { PregenError } from '../errors.ts'
import type { FamilyFacts } from '../families/family.ts'
import { FAMILIES, FAMILY_NAMES, type FamilyName } from '../families/index.ts'

/**
 * @param className `_class_name` of model_index.json; optimum's `ORT…` and diffusers' `…Img2Img…` names count too
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
  const names = [
    ...FAMILY_NAMES,
    ...ALL.flatMap(({ pipelineClass, otherClasses = [] }) => [pipelineClass, ...otherClasses]),
  ]
  throw new PregenError(
    'E_UNKNOWN_PIPELINE',
    name === ''
      ? 'model_index.json has no "_class_name", so the pipeline is unknown.'
      : `There is no pipeline "${name}".`,
    {
      help: didYouMean(name, names),
      location: requested === undefined ? { file: indexPath } : undefined,
    },
  )
}

const ALL: readonly (FamilyFacts & { readonly name: FamilyName })[] = FAMILIES

function named(name: string): FamilyName | undefined {
  const plain = name.replace(/^(ORT|Onnx)/, '').replace(/Img2Img(?=Pipeline$)/, '')
  return ALL.find(
    ({ name: own, pipelineClass, otherClasses = [] }) =>
      own === name || pipelineClass === plain || otherClasses.includes(plain),
  )?.name
}
