/** GIF: what is transparent keeps the colour that its palette has, as Pillow's `convert("RGB")` leaves it; libnsgif blackens it. */

const EXTENSION = 0x21
const GRAPHIC_CONTROL = 0xf9
/** In a graphic control block: whether one of the palette's colours is transparent. */
const TRANSPARENT = 1

/** The same file, its first frame said to be opaque; `bytes` itself where it is. */
export function withoutTransparency(bytes: Buffer): Buffer {
  const flags = bytes[10] ?? 0
  const paletteBytes = flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0
  // Extensions stand before the first frame, each a chain of blocks that begin with their length.
  for (let at = 13 + paletteBytes; bytes[at] === EXTENSION; ) {
    if (bytes[at + 1] === GRAPHIC_CONTROL && (bytes[at + 3] ?? 0) & TRANSPARENT) {
      const opaque = Buffer.from(bytes)
      opaque[at + 3] = opaque[at + 3]! & ~TRANSPARENT
      return opaque
    }
    for (at += 2; (bytes[at] ?? 0) > 0; ) at += 1 + bytes[at]!
    at += 1
  }
  return bytes
}
