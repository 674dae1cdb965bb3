/** Videos that nothing here can write are faults of the sheet, at the line that asks for them. */
import { expect, it, vi } from 'vitest'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import { PregenError } from '../../src/errors.ts'
import { checkEncoders } from '../../src/run/check-encoders.ts'
import { unitOf } from '../plan/helpers.ts'

vi.mock(import('../../src/media/video-writer.ts'), async (original) => ({
  ...(await original()),
  missingEncoder: async (format) =>
    format === 'webm'
      ? new PregenError('E_NO_ENCODER', 'Nothing here encodes webm.', { help: 'Take mp4.' })
      : null,
}))

const SHEET = `version: v
models: { m: m }
programs: { P0: {} }
defaults: { num_frames: 1021 }
cues:
  big: { program: P0, prompt: a fox, video_format: webp, seeds: [1] }
  web: { program: P0, prompt: a fox, seeds: [1], video_format: webm }
`

it('both at once, each at the setting, or at the default', async () => {
  const sheet = parseCueSheet(Buffer.from(SHEET), { env: {}, embeddedModels: {}, file: 'cues.yaml' })
  const units = [
    unitOf({
      cue: 'big',
      variant: 'seed-1',
      output: 'video-webp',
      numFrames: 1021,
      width: 1024,
      height: 1024,
    }),
    unitOf({ cue: 'web', variant: 'seed-1', output: 'video-webm' }),
  ]
  await expect(checkEncoders(units, sheet)).rejects.toMatchObject({
    errors: [
      {
        code: 'E_NO_ENCODER',
        message: 'web/seed-1: Nothing here encodes webm.',
        location: { line: 7, column: 64 },
      },
      { code: 'E_ANIMATION_TOO_LARGE', location: { line: 4, column: 25 } },
    ],
  })
  await expect(checkEncoders([unitOf({ output: 'image' })], sheet)).resolves.toBeUndefined()
  const small = unitOf({ cue: 'big', variant: 'seed-1', output: 'video-webp', numFrames: 5 })
  await expect(checkEncoders([small], sheet)).resolves.toBeUndefined()
})
