import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelFacts } from '../../src/model/facts.ts'
import { createFileHasher } from '../../src/model/file-hash.ts'
import { readModelFolder } from '../../src/model/folder.ts'
import { scratchFolder } from '../support/scratch.ts'
import { copyModel, MODELS } from './fixtures.ts'

const fingerprintOf = async (folder: string) => (await modelFacts(readModelFolder(folder))).fingerprint

test('facts of a UNet family and of a transformer family', async () => {
  expect(await modelFacts(readModelFolder(join(MODELS, 'sdxl-tiny')))).toMatchObject({
    family: 'sdxl',
    defaults: { steps: 50, guidanceScale: 5, width: 64, height: 64 },
    sizeMultiple: 16,
    latentChannels: 4,
    schedulerClass: 'EulerDiscreteScheduler',
    hasVaeEncoder: true,
    hasPreviewDecoder: false,
    hasLatentRgb: true,
    maxSequenceLength: null,
  })
  expect(await modelFacts(readModelFolder(join(MODELS, 'sd3-tiny')))).toMatchObject({
    latentChannels: 16,
    sizeMultiple: 16,
    maxSequenceLength: 512,
  })
})

test('the fingerprint depends on contents, not on the place', async () => {
  const folder = copyModel('sd15-tiny')
  const before = await fingerprintOf(folder)
  expect(before).toMatch(/^[0-9a-f]{64}$/)
  expect(await fingerprintOf(copyModel('sd15-tiny'))).toBe(before)
  writeFileSync(join(folder, 'README.md'), 'of no weight')
  expect(await fingerprintOf(folder)).toBe(before)
})

test.each([
  'unet/model.onnx',
  'tokenizer/merges.txt',
  'scheduler/scheduler_config.json',
  'model_index.json',
  'vae_decoder/config.json',
])('a change of %s changes it', async (file) => {
  const folder = copyModel('sd15-tiny')
  const before = await fingerprintOf(folder)
  appendFileSync(join(folder, file), file.endsWith('.onnx') ? Buffer.from([0x12, 0x01, 0x61]) : '\n')
  expect(await fingerprintOf(folder)).not.toBe(before)
})

test('preview.json counts, and a file that goes missing', async () => {
  const folder = copyModel('sd15-tiny')
  const before = await fingerprintOf(folder)
  writeFileSync(join(folder, 'preview.json'), '{}')
  expect(await fingerprintOf(folder)).not.toBe(before)
  rmSync(join(folder, 'preview.json'))
  expect(await fingerprintOf(folder)).toBe(before)
})

test('big files are hashed once, until size or time changes; a damaged cache is an empty one', async () => {
  const cacheDir = scratchFolder()
  const file = join(cacheDir, 'big.bin')
  writeFileSync(file, Buffer.alloc(2 ** 20, 1))
  const first = await createFileHasher({ cacheDir })
  const sum = await first.hash(file)
  await first.save()

  // A remembered sum that is not the file's proves that the file was not read.
  const cache = join(cacheDir, 'model-hashes.json')
  const remembered = JSON.parse(readFileSync(cache, 'utf8'))
  expect(remembered[file].sha256).toBe(sum)
  const other = 'ab'.repeat(32)
  writeFileSync(cache, JSON.stringify({ [file]: { ...remembered[file], sha256: other } }))
  expect(await (await createFileHasher({ cacheDir })).hash(file)).toBe(other)

  writeFileSync(file, Buffer.alloc(2 ** 20, 2))
  const changed = await (await createFileHasher({ cacheDir })).hash(file)
  expect([sum, other]).not.toContain(changed)
  writeFileSync(cache, '{"half')
  expect(await (await createFileHasher({ cacheDir })).hash(file)).toBe(changed)
})

test.each([
  ['under a file', (folder: string) => join(folder, 'big.bin')],
  ['where a folder stands', (folder: string) => folder],
])('a cache that cannot be written, %s, costs nothing but time', async (_, cacheDirOf) => {
  const folder = scratchFolder()
  const file = join(folder, 'big.bin')
  writeFileSync(file, Buffer.alloc(2 ** 20, 1))
  mkdirSync(join(folder, 'model-hashes.json'))
  const hasher = await createFileHasher({ cacheDir: cacheDirOf(folder) })
  const sha256 = await hasher.hash(file)
  await hasher.save()
  expect(await hasher.hash(file)).toBe(sha256)
  expect(readdirSync(folder).sort()).toEqual(['big.bin', 'model-hashes.json'])
})

test('sizes that are trusted: the hub names the hash, other files go by size and ends; nothing is remembered', async () => {
  const folder = scratchFolder()
  const blobs = join(folder, 'blobs')
  mkdirSync(blobs)
  const name = 'cd'.repeat(32)
  writeFileSync(join(blobs, name), Buffer.alloc(2 ** 20, 1))
  symlinkSync(join(blobs, name), join(folder, 'hub.onnx'))
  const plain = Buffer.alloc(3 * 2 ** 20, 1)
  writeFileSync(join(folder, 'plain.onnx'), plain)
  const hasher = await createFileHasher({ cacheDir: folder, trustSize: true })
  expect(await hasher.hash(join(folder, 'hub.onnx'), folder)).toBe(name)
  const before = await hasher.hash(join(folder, 'plain.onnx'))
  plain[1.5 * 2 ** 20] = 2
  writeFileSync(join(folder, 'plain.onnx'), plain)
  expect(await hasher.hash(join(folder, 'plain.onnx'))).toBe(before)
  plain[0] = 2
  writeFileSync(join(folder, 'plain.onnx'), plain)
  expect(await hasher.hash(join(folder, 'plain.onnx'))).not.toBe(before)
  await hasher.save()
  expect(readdirSync(folder)).not.toContain('model-hashes.json')
})
