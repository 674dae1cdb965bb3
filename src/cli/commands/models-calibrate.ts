/** `pregen models calibrate`: fits the preview map to a model, and shows what that gains. */
import { access, constants, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileDurably } from '../../artifacts/durable-write.ts'
import { encodePng } from '../../artifacts/png.ts'
import { messageOf, PregenError } from '../../errors.ts'
import type { RequestedProvider } from '../../model/providers.ts'
import { formatPreviewJson, PREVIEW_JSON } from '../../preview/preview-json.ts'
import { composeCalibrationStrip } from '../../preview/strip.ts'
import { calibrateModel, type ModelCalibration } from '../../tasks/calibrate-model.ts'
import { CALIBRATION_PROMPTS } from '../calibration-prompts.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine, printLines } from '../print.ts'

export interface CalibrateFlags {
  readonly out?: string
  readonly strip?: string
  readonly prompts?: string
  readonly pictures: number
  readonly steps?: number
  readonly guidanceScale?: number
  readonly variant?: string
  readonly provider?: RequestedProvider
}

export async function calibrateCommand(dir: string, flags: CalibrateFlags): Promise<ExitCode> {
  const out = flags.out ?? join(dir, PREVIEW_JSON)
  const strip = flags.strip ?? join(dirname(out), 'preview-strip.png')
  for (const file of [out, strip]) await requireWritableFolder(dirname(file))
  const calibration = await calibrateModel({
    path: dir,
    variant: flags.variant,
    prompts: flags.prompts === undefined ? CALIBRATION_PROMPTS : await readPrompts(flags.prompts),
    pictures: flags.pictures,
    steps: flags.steps,
    guidanceScale: flags.guidanceScale,
    provider: flags.provider ?? 'auto',
    onPicture: (picture) => printLine(process.stderr, `picture ${picture} of ${flags.pictures}`),
  })
  const { factors, fitted, pictures, pixels } = calibration
  await writeFileDurably(out, Buffer.from(formatPreviewJson(factors, { pictures, pixels, ...fitted })))
  const { rgb, width, height } = await composeCalibrationStrip(calibration)
  await writeFileDurably(strip, await encodePng(rgb, width, height))
  printLines(process.stdout, [...reportOf(calibration), out, strip])
  return EXIT.ok
}

/** Told before the pictures are drawn, not after. */
async function requireWritableFolder(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new PregenError('E_WRITE_FAILED', `cannot write into ${folder}: ${messageOf(error)}`, {
      help: 'Make the folder, or name other files with --out and --strip.',
      cause: error,
    })
  }
}

function reportOf({ fitted, published, previewDecoder, scored }: ModelCalibration): string[] {
  const line = (name: string, { r2, psnr }: { r2: number; psnr: number }) =>
    `${name.padEnd(15)} R² ${r2.toFixed(3)}  PSNR ${psnr.toFixed(1)} dB`
  return [
    ...(published ? [line('published', published)] : ['published       none for this latent space']),
    `${line('fitted', fitted)}  (each of ${scored} pictures under a fit to the others)`,
    ...(previewDecoder ? [`${line('preview_decoder', previewDecoder)}  (at full size)`] : []),
  ]
}

async function readPrompts(file: string): Promise<string[]> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new PregenError('E_PROMPTS_FILE', `cannot read ${file}: ${messageOf(error)}`, {
      help: 'It is a text file with one prompt a line.',
      cause: error,
    })
  }
  const prompts = text.split('\n').filter((line) => line.trim() !== '')
  if (prompts.length > 0) return prompts
  throw new PregenError('E_PROMPTS_FILE', `${file} holds no prompt.`, { help: 'Write one prompt a line.' })
}
