/** Videos as folders of numbered pictures. */
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodePng } from '../../src/artifacts/png.ts'
import { checkClip, listClip, readClip } from '../../src/images/clip-folder.ts'
import { visionInput } from '../../src/images/vision-input.ts'
import { temporaryFolder } from '../support/temp.ts'

const png = (level: number) => encodePng(new Uint8Array(2 * 2 * 3).fill(level), 2, 2)

describe('a folder of pictures', () => {
  it('is a video in the order of their numbers, whatever else lies there', async () => {
    const folder = await temporaryFolder()
    for (const name of ['frame-10.png', 'frame-9.png', 'frame-011.png'])
      await writeFile(join(folder, name), await png(1))
    await writeFile(join(folder, 'notes-1.txt'), 'x')
    await mkdir(join(folder, 'other'))
    const paths = await listClip(folder)
    expect(paths.map((path) => basename(path))).toEqual(['frame-9.png', 'frame-10.png', 'frame-011.png'])
  })

  it('is read picture by picture, and known by all their bytes', async () => {
    const folder = await temporaryFolder()
    for (const [index, level] of [10, 20, 30].entries())
      await writeFile(join(folder, `${index}.png`), await png(level))
    const paths = await listClip(folder)
    const levels: number[] = []
    for await (const { rgb, width } of readClip(paths, { width: 4, height: 2 }, 'fill', () => undefined)) {
      expect(width).toBe(4)
      levels.push(rgb[0]!)
    }
    expect(levels).toEqual([10, 20, 30])
    const before = await checkClip(paths)
    expect(before).toMatch(/^[0-9a-f]{64}$/)
    await writeFile(paths[2]!, await png(31))
    expect(await checkClip(paths)).not.toBe(before)
    expect(await checkClip(paths.slice(0, 2))).not.toBe(before)
  })

  it('that is missing, or holds none, is told of', async () => {
    const folder = await temporaryFolder()
    await expect(listClip(folder)).rejects.toMatchObject({ code: 'E_VIDEO_EMPTY' })
    await expect(listClip(join(folder, 'clip'))).rejects.toMatchObject({ code: 'E_VIDEO_MISSING' })
    await writeFile(join(folder, '1.png'), 'no picture')
    await expect(checkClip(await listClip(folder))).rejects.toMatchObject({ code: 'E_IMAGE_FORMAT' })
  })
})

it('CLIP sees the middle of a picture, whichever way it lies', () => {
  const settings = { side: 2, shortestEdge: 2, mean: [0, 0, 0], std: [1, 1, 1] } as const
  const level = (value: number) => [value, value, value]
  const wide = Uint8Array.from([0, 255, 255, 0].flatMap((value) => [...level(value)]))
  const across = visionInput({ width: 4, height: 1, rgb: wide }, settings)
  const down = visionInput({ width: 1, height: 4, rgb: wide }, settings)
  expect(across).toHaveLength(12)
  expect([...across].every((value) => value > 0.9)).toBe(true)
  expect([...down].every((value) => value > 0.9)).toBe(true)
})
