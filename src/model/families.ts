/** Which of the model families a folder belongs to, told by the class that model_index.json names. */
import { didYouMean } from '../did-you-mean.ts'
import { PregenError } from '../errors.ts'
import { FAMILIES, FAMILY_NAMES, type FamilyName } from '../families/index.ts'

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
  const names = [...FAMILY_NAMES, ...FAMILIES.map(({ pipelineClass }) => pipelineClass)]
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

function named(name: string): FamilyName | undefined {
  const plain = name.replace(/^(ORT|Onnx)/, '').replace(/(Img2Img|Inpaint)(?=Pipeline$)/, '')
  return FAMILIES.find((family) => family.name === name || family.pipelineClass === plain)?.name
}
