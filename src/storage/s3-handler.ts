/** The SDK's way to the network, with an end to every answer: sockets of our own, bodies of bounded size. */
import { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import type { NodeHttpHandlerOptions } from '@smithy/node-http-handler'
import { MAX_ANSWER_BYTES, readAnswer } from './read-answer.ts'
import { NodeHttpHandler } from './sdk.ts'

type Handler = S3Client['config']['requestHandler']
type Request = Parameters<Handler['handle']>[0]
type Limits = NonNullable<Parameters<Handler['handle']>[1]>
type Answer = Awaited<ReturnType<Handler['handle']>>['response']

/** A document type is the way into an XML bomb, and no store's answer has one: what has reads as an empty answer. */
const DOCTYPE = /<!(doctype|entity)/i

/**
 * A handler whose answers are in memory, of 1 MiB at most; only the object of a GET stays a stream, which whoever asked
 * for it reads with a limit of its own.
 */
export function createHandler(options: NodeHttpHandlerOptions): Handler {
  const inner = new NodeHttpHandler(options)
  return {
    metadata: inner.metadata,
    destroy: () => inner.destroy(),
    updateHttpClientConfig: (key, value) => inner.updateHttpClientConfig(key, value),
    httpHandlerConfigs: () => inner.httpHandlerConfigs(),
    async handle(request, limits: Limits = {}) {
      const { response } = await inner.handle(request, limits)
      if (response.body instanceof Readable && !isObject(request, response)) {
        const given = 'abortSignal' in limits ? limits.abortSignal : undefined
        const signal = given instanceof AbortSignal ? given : undefined
        const what = `the answer to ${request.method} ${request.path.slice(0, 300)}`
        const bytes = await readAnswer(response.body, { maxBytes: MAX_ANSWER_BYTES, what, signal })
        response.body = DOCTYPE.test(Buffer.from(bytes).toString('latin1')) ? new Uint8Array() : bytes
      }
      return { response }
    },
  }
}

function isObject({ method, query }: Request, { statusCode }: Answer): boolean {
  return method === 'GET' && (statusCode === 200 || statusCode === 206) && query['list-type'] === undefined
}
