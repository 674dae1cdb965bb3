/**
 * ONNX Runtime's messages in words. They name files of its source, nodes of a graph that nobody wrote by hand, and end
 * with a line break; where the cause is known, that is told instead, with what mends it. Memory is told elsewhere.
 */

export interface RuntimeCause {
  /** Goes on after `unet failed: `. */
  readonly what: string
  readonly help: string | undefined
}

interface KnownCause {
  /** One of these stands in the message. */
  readonly marks: readonly string[]
  readonly what: (message: string) => string
  readonly help: string
}

const SIZE_HELP =
  'Take a width and height that the export takes (pregen models inspect names the multiple, and what is built in), or export the model with free sizes (optimum-cli export onnx).'
const OPERATOR_HELP =
  'Export the model again with optimum (optimum-cli export onnx), without operators of other programs.'
const FILE_HELP =
  'Download the file again (git lfs pull, where git brought it), or export the model again; pregen models inspect checks the folder.'
const KERNEL_HELP =
  'Take an fp32 or fp16 export of the model, or another provider (pregen providers lists what this machine has).'
const DEVICE_HELP =
  'End other programs on the GPU, update its driver, or run with --provider cpu; pregen doctor looks at the machine.'

const CUDA_OPERATORS = [
  ...['NhwcConv', 'GroupNorm', 'SkipGroupNorm', 'BiasSplitGelu', 'BiasAdd', 'RelativePositionBias'],
  ...['PackedAttention', 'PackedMultiHeadAttention', 'GemmFastGelu'],
]

const MISFIT = 'sizes within the model do not fit each other'

/** The first that fits counts. Texts are found by their beginning and end: messages are long, and not ours. */
const KNOWN: readonly KnownCause[] = [
  {
    marks: ['Invalid rank for input: '],
    what: (message) => {
      const [input, got] = [between(message, 'rank for input: ', ' '), between(message, ' Got: ', ' ')]
      const expected = between(message, ' Expected: ', ' ')
      return `its input "${input}" has ${expected} dimensions in this export, and ${got} for this kind of model`
    },
    help: 'The export is of another kind of model: pregen models inspect names what each part should take.',
  },
  {
    marks: ['by a dimension other than 1. '],
    what: (message) =>
      `${MISFIT}, ${between(message, 'other than 1. ', ' ')} and ${between(message, ' by ', '\n', 'other than 1. ')}`,
    help: SIZE_HELP,
  },
  {
    marks: ['has mismatched dimensions of '],
    what: (message) => `${MISFIT}, ${between(message, 'mismatched dimensions of ', '\n')}`,
    help: SIZE_HELP,
  },
  {
    marks: ['cannot be reshaped to the requested shape'],
    what: (message) => {
      const [from, to] = ['Input shape:', 'requested shape:'].map((mark) =>
        between(message, '{', '}', mark).split(',').join(' × '),
      )
      return `sizes are built into the export: ${from} numbers cannot be laid out as ${to}`
    },
    help: SIZE_HELP,
  },
  {
    marks: ['dimension mismatch', 'left operand cannot broadcast', 'incompatible dimensions'],
    what: () => MISFIT,
    help: SIZE_HELP,
  },
  {
    marks: ['indices element out of data bounds'],
    what: (message) =>
      `it was asked for entry ${between(message, 'idx=', ' ')} of a table whose last one is ${between(message, ',', ']', 'range [')}`,
    help: "The tokenizer does not belong to this text encoder, or the text is longer than the model's places: take both from one export.",
  },
  {
    // What onnxruntime's transformers tool fuses for CUDA, of which its other providers have no kernels.
    marks: CUDA_OPERATORS.map((operator) => `implementation for ${operator}(`),
    what: (message) =>
      `it was fused for CUDA: ONNX Runtime has its operator ${between(message, 'implementation for ', '(')} there alone`,
    help: 'Run it with --provider cuda, or take the folder that it was made of.',
  },
  {
    marks: ['Could not find an implementation for '],
    what: (message) =>
      `ONNX Runtime has no kernel for ${between(message, 'implementation for ', '(')} with the types that this export has there`,
    help: KERNEL_HELP,
  },
  {
    marks: ['No Op registered for '],
    what: (message) =>
      `it uses the operator ${between(message, 'Op registered for ', ' ')}, which opset ${between(message, 'domain_version of ', '\n')} does not have`,
    help: OPERATOR_HELP,
  },
  {
    marks: ['is not a registered function/op'],
    what: (message) =>
      `it uses the operator ${between(message, 'Fatal error: ', '(')}, which this ONNX Runtime does not have`,
    help: OPERATOR_HELP,
  },
  {
    marks: ['is under development and support for this is limited'],
    what: (message) =>
      `it is exported with opset ${between(message, 'Opset ', ' ')}, and this ONNX Runtime reads up to ${between(message, 'till opset ', '.')}`,
    help: 'Export the model with a lower --opset.',
  },
  {
    marks: ['Unsupported model IR version: '],
    what: (message) =>
      `its file format is ONNX IR ${between(message, 'model IR version: ', ',')}, and this ONNX Runtime reads up to ${between(message, 'supported IR version: ', '\n')}`,
    help: 'Export the model with an older onnx package, or convert the file with it.',
  },
  {
    marks: ['Protobuf parsing failed', 'ModelProto does not have a graph'],
    what: () => 'the file is no ONNX model, or ends too early',
    help: FILE_HELP,
  },
  {
    marks: ['External data path does not exist', 'are out of bounds or can not be read in full'],
    what: () => 'its weights, which lie in a file beside it, are not there or end too early',
    help: FILE_HELP,
  },
  { marks: ["File doesn't exist"], what: () => 'the file is not there any more', help: FILE_HELP },
  {
    marks: ['no kernel image is available'],
    what: () => 'the CUDA provider has no code for this GPU, which is too old or too new for it',
    help: 'Run with another provider: pregen providers lists what this machine has.',
  },
  {
    marks: [
      'DXGI_ERROR_DEVICE_',
      '887A0005',
      '887A0006',
      '887A0007',
      'evice was lost',
      'evice is lost',
      'evice lost',
    ],
    what: () => 'the driver took the GPU away in the middle of the work',
    help: DEVICE_HELP,
  },
  {
    marks: ['CUDNN failure ', 'CUBLAS failure ', 'CUDA failure '],
    what: (message) => `the GPU did not do what it was told (${between(message, 'failure ', ' ;')})`,
    help: DEVICE_HELP,
  },
]

/** @param message what ONNX Runtime threw */
export function runtimeCauseOf(message: string): RuntimeCause {
  const built = sizesBuiltIn(message)
  if (built !== null) return built
  const known = KNOWN.find(({ marks }) => marks.some((mark) => message.includes(mark)))
  if (known !== undefined) return { what: known.what(message), help: known.help }
  return { what: withoutPlaces(message), help: undefined }
}

/** One message names every axis of an input that is not as the export has it. */
function sizesBuiltIn(message: string): RuntimeCause | null {
  const mark = 'Got invalid dimensions for input: '
  if (!message.includes(mark)) return null
  const axes = message
    .split('\n')
    .filter((line) => line.trimStart().startsWith('index: '))
    .map(
      (line) =>
        `${between(line, 'Got: ', ' ')} on axis ${between(line, 'index: ', ' ')}, where ${between(line, 'Expected: ', ' ')} is built into the export`,
    )
  return { what: `its input "${between(message, mark, ' ')}" has ${axes.join(', and ')}`, help: SIZE_HELP }
}

const MAX_FOUND_CHARS = 200

/** What stands between two texts, the first one after `from`; to the end where the second is not there. */
function between(message: string, before: string, after: string, from = ''): string {
  const start = message.indexOf(before, Math.max(0, message.indexOf(from))) + before.length
  const end = message.indexOf(after, start)
  return message
    .slice(start, end < 0 ? undefined : end)
    .slice(0, MAX_FOUND_CHARS)
    .trim()
}

/** In one line, without the node's name and the places in ONNX Runtime's source. */
function withoutPlaces(message: string): string {
  const [status, node] = [' Status Message: ', 'while running ']
  const own = message.includes(status)
    ? `${between(message, node, ' node')}: ${message.slice(message.indexOf(status) + status.length)}`
    : message
  return own
    .split(/\s/)
    .filter((word) => word !== '' && !/\.(?:cc|h|cpp|cu):\d{1,6}$/.test(word))
    .join(' ')
}
