/** sharp, the codec of all pictures, loaded when the first is coded: starting libvips takes as long as planning a run. */
type Sharp = typeof import('sharp')['default']

let loading: Promise<Sharp> | undefined

/** @throws Error with sharp's own advice where its binary for this platform is not installed */
export function loadSharp(): Promise<Sharp> {
  loading ??= start()
  return loading
}

async function start(): Promise<Sharp> {
  const { default: sharp } = await import('sharp')
  // One thread a picture: pictures are small and several are encoded side by side, in libuv's pool.
  sharp.concurrency(1)
  // libvips would keep decoded pictures and open files for a second look that never comes.
  sharp.cache(false)
  return sharp
}
