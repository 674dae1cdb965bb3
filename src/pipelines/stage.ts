/** Faults that say at which stage of a picture they arose, and the checks of numbers between stages. */
import { messageOf, PregenError } from '../errors.ts'
import { findFault } from '../tensor/tensor.ts'

/** A fault of one picture (or one batch): the others of the run go on. */
export class StageError extends PregenError {
  /** `text encode`, `image encode`, `denoise step 3`, `vae decode`. */
  readonly stage: string

  constructor(stage: string, error: PregenError) {
    super(error.code, `${stage}: ${error.message}`, {
      help: error.help,
      location: error.location,
      cause: error.cause,
      exitCode: error.exitCode,
    })
    this.stage = stage
  }
}

/** Runs `work` so that whatever it throws names the stage. */
export async function inStage<Value>(stage: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (thrown) {
    throw stageError(stage, thrown)
  }
}

export function stageError(stage: string, thrown: unknown): StageError {
  if (thrown instanceof StageError) return thrown
  if (thrown instanceof PregenError) return new StageError(stage, thrown)
  return new StageError(
    stage,
    new PregenError('E_STAGE_FAILED', messageOf(thrown), { cause: thrown, exitCode: 3 }),
  )
}

/**
 * @param what the values' name, such as `the latents`
 * @param help what usually mends it; the default fits everything but the VAE
 * @throws PregenError E_NUMERIC_FAULT when the values hold NaN or infinity, or are all zero
 */
export function requireSound(
  values: Float32Array,
  what: string,
  help = 'Half precision often overflows so: use an fp32 export of this model, or another provider (--provider cpu).',
): void {
  const fault = findFault(values)
  if (fault === null) return
  throw new PregenError(
    'E_NUMERIC_FAULT',
    `${what} ${fault === 'all zero' ? 'are all zero' : `hold ${fault} values`}.`,
    {
      help,
      exitCode: 3,
    },
  )
}
