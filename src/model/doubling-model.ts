/**
 * The smallest model worth running: `y = x + x` for a float32 vector (IR 7, opset 14), as `onnx.helper` writes it.
 * Providers are tried on it.
 */
export const DOUBLING_MODEL = new Uint8Array(
  Buffer.from(
    'CAcSADo3Cg4KAXgKAXgSAXkiA0FkZBIBcFoQCgF4EgsKCQgBEgUKAxIBbmIQCgF5EgsKCQgBEgUKAxIBbkIECgAQDg==',
    'base64',
  ),
)
