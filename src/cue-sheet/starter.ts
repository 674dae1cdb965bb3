/** The sheet that `pregen init` writes. */

const STARTER = `# A cue sheet: programs say how, cues say what, variants say which ones.
# Every key is described in docs/cue-sheet.md; "pregen schema" prints a JSON Schema for your editor.

version: first-night            # names this edition; --version-id wins over it

defaults:                       # for everything below, until something nearer says otherwise
  model: backdrop               # the model that comes with pregen; declare your own under "models:"
  width: 128
  height: 128
  steps: 20
  guidance_scale: 4.5

# models:
#   sdxl: /srv/models/sdxl      # a folder in the ONNX layout of diffusers, relative to this sheet

programs:
  P0: {}                        # the id P0 makes final pictures alone
  P1:                           # every other program also saves a picture of each step
    previews: { method: auto }

cues:
  dawn:
    program: P1
    prompt: misty mountains at dawn
    variants:
      wide: { seed: 7 }
      close: { seed: 8, prompt: one mountain at dawn }

  storm:
    program: P0
    prompt: sea at night
    seeds: [1, 2, 3]            # variants seed-1, seed-2 and seed-3

# storage:                      # a bucket; without it everything stays on disk
#   bucket: show
#   endpoint: https://account.r2.cloudflarestorage.com
#   region: auto
`

/** A commented sheet that runs as it stands, on the embedded model. */
export function starterSheet(): string {
  return STARTER
}
