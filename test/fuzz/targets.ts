/** Every reader of foreign bytes, with what it may answer: a value, or an error that a person can do something about. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { applyLine, type LedgerState, liveLines, parseLine } from '../../src/artifacts/ledger-lines.ts'
import { parseManifest } from '../../src/artifacts/manifest.ts'
import { parseTiming } from '../../src/artifacts/timing.ts'
import { parseCueSheet } from '../../src/cue-sheet/parse.ts'
import { PregenError, PregenErrors } from '../../src/errors.ts'
import { sniffImageFormat } from '../../src/images/image-format.ts'
import { readJsonFile } from '../../src/model/json-file.ts'
import { checkModelFile } from '../../src/model/model-file.ts'
import { md5Of } from '../../src/storage/s3-answers.ts'
import { isRetryable } from '../../src/storage/s3-error-kinds.ts'
import { storageError } from '../../src/storage/s3-errors.ts'
import { createTokenizer } from '../../src/text/create-tokenizer.ts'
import { MODELS } from '../model/fixtures.ts'
import { onnxModel } from '../model/onnx-builder.ts'
import { packageRoot } from '../support/cli.ts'
import { scratchFolder } from '../support/scratch.ts'
import { tokenizerFolder } from '../text/tokenizer-folders.ts'
import type { FuzzTarget } from './harness.ts'

/** The beginning of a message without what differs from input to input. */
function gistOf(message: string): string {
  return message
    .replace(/["'\u2018][\s\S]*$/, '')
    .split(/\W+/, 8)
    .filter((word) => /^[a-z]+$/i.test(word))
    .join(' ')
}

/** An answer by its code and the shape of its words. @throws what is no answer */
async function answerOf(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'ok'
  } catch (thrown) {
    const [error] = thrown instanceof PregenErrors ? thrown.errors : [thrown]
    if (!(error instanceof PregenError)) throw thrown
    return `${error.code} ${gistOf(error.message)}`
  }
}

const folder = scratchFolder()
const fixture = (path: string) => readFileSync(join(packageRoot, path))
const scratch = (name: string, bytes: Buffer): string => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

const STATUSES = [200, 200, 301, 400, 403, 404, 412, 500, 503]

/** A client whose store answers with these bytes. */
function storeThatAnswers(bytes: Buffer): S3Client {
  const statusCode = STATUSES[(bytes[0] ?? 0) % STATUSES.length]!
  const body = Readable.from([bytes.subarray(1)])
  return new S3Client({
    region: 'auto',
    endpoint: 'https://store.invalid',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
    requestHandler: {
      handle: async () => ({
        response: { statusCode, headers: { 'content-type': 'application/xml' }, body },
      }),
    },
  })
}

const LISTING =
  '\0<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/b.png</Key><Size>3</Size><ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag></Contents></ListBucketResult>'
const REFUSAL = '\x04<Error><Code>AccessDenied</Code><Message>no</Message><RequestId>1</RequestId></Error>'
const SHA = 'a'.repeat(64)

export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'sheet',
    seeds: () => [
      fixture('cues/demo.yaml'),
      'version: v\nprograms: { P0: {}, P1: { extends: P0, steps: 4 } }\ncues:\n  a: { program: P1, prompt: x, matrix: { seed: [1, 2] } }\n',
    ],
    read: (bytes) =>
      answerOf(() =>
        parseCueSheet(bytes, { file: 'fuzz.yaml', env: { X: 'x' }, embeddedModels: { m: '/m' } }),
      ),
  },
  {
    name: 'image',
    seeds: () => [
      fixture('test/fixtures/images/sources/palette.png').subarray(0, 4096),
      fixture('test/fixtures/images/refused/animated.png').subarray(0, 4096),
      fixture('test/fixtures/images/refused/animated.webp').subarray(0, 4096),
      '<?xml version="1.0"?><!-- a --><svg >',
      '{ "a": 1 }',
    ],
    read: (bytes) => answerOf(() => sniffImageFormat(bytes, 'fuzz.png')),
  },
  {
    name: 'onnx',
    seeds: () => [
      readFileSync(join(MODELS, 'sd15-tiny/vae_decoder/model.onnx')).subarray(0, 20_000),
      onnxModel({
        inputs: [{ name: 'x', dims: ['n', 4] }],
        weights: [{ name: 'w', external: { location: 'd', offset: 0, length: 4 } }],
        nodes: [['Abs', ['x'], ['y']]],
      }) as Buffer,
    ],
    read: (bytes) => {
      const { faults } = checkModelFile(scratch('model.onnx', bytes))
      return faults.map(({ code, message }) => `${code} ${gistOf(message)}`).join() || 'ok'
    },
  },
  {
    name: 'config',
    seeds: () => [
      fixture('test/fixtures/oracle/models/sd15-tiny/unet/config.json'),
      '{"a": -Infinity, "b": [NaN, "\\u0041\\"", 1e5], "c": {"d": null}}',
    ],
    read: (bytes) => answerOf(() => readJsonFile(scratch('config.json', bytes), '')),
  },
  {
    name: 'ledger',
    seeds: () => [
      `{"type":"unit","key":"foigoi/v/cues/a/b","unit":{"digest":"${SHA}","parts":{},"complete":true,"files":[{"name":"final.png","sizeBytes":3,"mtimeMs":1,"sha256":"${SHA}"}]}}\n`,
      `{"type":"sent","target":"s3://b","key":"foigoi/v/cues/a/b","objects":{"final.png":{"sha256":"${SHA}","sizeBytes":3,"etag":null}}}\n{"type":"unit","key":"foigoi/v/cues/a/b","unit":null}\n`,
    ],
    read: (bytes) => {
      const state: LedgerState = { units: new Map(), marks: new Map(), sent: new Map() }
      const lines = bytes.toString('utf8').split('\n').map(parseLine)
      for (const line of lines) if (line !== null) applyLine(state, line)
      const count = Math.min(lines.filter((line) => line !== null).length, 3)
      return `${count} lines, ${Math.min(liveLines(state).length, 3)} live`
    },
  },
  {
    name: 'manifest',
    seeds: () => [
      `{"manifest_version":1,"version":"v","assets":[{"type":"image","cue":"a","variant":"b","program":"P0","url":"cues/a/b/final.png","thumbnail_url":null,"timing_url":null,"metadata":{"width":64,"height":64,"format":"png","seed":"1","steps":4,"steps_executed":4,"guidance_scale":1,"scheduler":"x","model":"m","model_fingerprint":"${SHA}","file_size_bytes":3,"sha256":"${SHA}","generation_time":1,"reference_mode":"none","asset_index":0}}]}`,
    ],
    read: (bytes) => answerOf(() => parseManifest(bytes.toString('utf8'), 'manifest.json')),
  },
  {
    name: 'timing',
    seeds: () => ['{"stepDurations":{"1":1000,"2":300,"final":1000}}'],
    read: (bytes) => answerOf(() => parseTiming(bytes.toString('utf8'), 'timing.json')),
  },
  {
    name: 's3',
    seeds: () => [
      LISTING,
      REFUSAL,
      '\x02<Error><Code>PermanentRedirect</Code><Endpoint>x</Endpoint></Error>',
      '\x05<html>',
    ],
    read: async (bytes) => {
      const client = storeThatAnswers(bytes)
      try {
        const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'b' }))
        return `ok ${Contents.map(({ ETag }) => md5Of(ETag) === null)
          .join()
          .slice(0, 20)}`
      } catch (thrown) {
        const error = storageError(thrown, 'LIST', {
          bucket: 'b',
          endpoint: undefined,
          region: undefined,
          secrets: [],
        })
        return `${error.code} ${isRetryable(thrown)}`
      } finally {
        client.destroy()
      }
    },
  },
  {
    name: 'tokenizer',
    seeds: () => [
      Buffer.concat([
        Buffer.from([0]),
        readFileSync(join(tokenizerFolder('tiny-t5'), 'tokenizer.json')).subarray(0, 60_000),
      ]),
      '\0{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["</s>",0],["<pad>",0],["a",-1]]},"normalizer":{"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"String":"b"},"content":"a"}]},"pre_tokenizer":{"type":"Metaspace","replacement":"_"},"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],"special_tokens":{"</s>":{"id":"</s>","ids":[1],"tokens":["</s>"]}}},"added_tokens":[]}',
      '\x01{"a":0,"b":1,"ab":2,"ab</w>":3,"<|startoftext|>":4,"<|endoftext|>":5,"b</w>":6}',
      '\x02#version\na b\na b</w>\n',
      '\x03{"tokenizer_class":"CLIPTokenizer","model_max_length":77,"pad_token":"!","added_tokens_decoder":{"5":{"content":"<|endoftext|>"}}}',
    ],
    read: (bytes) => {
      const dir = join(folder, 'tokenizer')
      rmSync(dir, { recursive: true, force: true })
      mkdirSync(dir)
      const files = ['tokenizer.json', 'vocab.json', 'merges.txt', 'tokenizer_config.json']
      writeFileSync(
        join(dir, 'vocab.json'),
        '{"a":0,"b":1,"ab":2,"ab</w>":3,"<|startoftext|>":4,"<|endoftext|>":5,"b</w>":6}',
      )
      writeFileSync(join(dir, 'merges.txt'), '#version\na b\na b</w>\n')
      writeFileSync(join(dir, files[(bytes[0] ?? 0) % files.length]!), bytes.subarray(1))
      return answerOf(async () => (await createTokenizer(dir)).tokenize('a photo of ab, b & a'))
    },
  },
]
