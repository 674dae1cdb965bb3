/** `GET /api/openapi.json`: the routes, described. The schemas are those that the answers are made with. */
import { z } from '../../zod.ts'
import { runStatusSchema, runSummarySchema } from '../runs/run-status.ts'
import { changedSchema, queuedSheetSchema } from './queue-routes.ts'
import { runRequestSchema } from './run-request.ts'

const submitted = z.object({
  id: z.string(),
  state: z.string(),
  position: z.int().nullable(),
  eta_seconds: z.number().nullable(),
  url: z.string().nullable(),
})
const faults = z.object({
  errors: z.array(
    z.object({
      code: z.string(),
      message: z.string(),
      help: z.string().nullable(),
      file: z.string().nullable(),
      line: z.int().nullable(),
      column: z.int().nullable(),
    }),
  ),
})
const progress = z.object({
  active: z.boolean(),
  completed: z.boolean(),
  run: z.string(),
  cue: z.string().nullable(),
  variant: z.string().nullable(),
  step: z.int().nullable(),
  steps: z.int().nullable(),
  progress: z.number(),
  eta_seconds: z.number().nullable(),
  image_id: z.int().nullable(),
  image_url: z.string().nullable(),
})

const json = (schema: z.ZodType) => ({
  'application/json': { schema: z.toJSONSchema(schema, { io: 'input' }) },
})
const answer = (description: string, schema?: z.ZodType) => ({
  description,
  ...(schema ? { content: json(schema) } : {}),
})
const inPath = (name: string) => ({ name, in: 'path', required: true, schema: { type: 'string' } })
const inQuery = (name: string, type: string, description: string) => ({
  name,
  in: 'query',
  description,
  schema: { type },
})

const queueFaults = { 404: answer('None', faults), 503: answer('The queue is away', faults) }

export function openApi(version: string): object {
  return {
    openapi: '3.1.0',
    info: { title: 'pregen', version, description: 'Runs of one output folder, live and past.' },
    security: [{ bearer: [] }, { cookie: [] }],
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'pregen-<port>' },
      },
    },
    paths: {
      '/api/runs': {
        get: {
          summary: 'Every run, the newest first',
          responses: { 200: answer('Runs', z.array(runSummarySchema)) },
        },
        post: {
          summary: 'Submit a run',
          requestBody: { required: true, content: json(runRequestSchema) },
          responses: { 202: answer('Taken', submitted), 422: answer('Faults, all of them', faults) },
        },
      },
      '/api/runs/{id}': {
        get: {
          summary: 'One run',
          parameters: [inPath('id')],
          responses: { 200: answer('The run', runStatusSchema), 404: answer('None') },
        },
        delete: {
          summary: 'Cancel, or drain',
          parameters: [
            inPath('id'),
            {
              ...inQuery(
                'drain',
                'string',
                '1: finishes the pictures in hand, sends them, and begins no other.',
              ),
              schema: { type: 'string', enum: ['1', 'true', '0', 'false'] },
            },
          ],
          responses: {
            200: answer('How it stands', runStatusSchema),
            404: answer('None'),
            422: answer('Another value of drain', faults),
          },
        },
      },
      '/api/runs/{id}/events': {
        get: {
          summary:
            "The lines of the run's log as server-sent events; `Last-Event-ID` goes on where a client left off",
          parameters: [inPath('id')],
          responses: {
            200: { description: 'Events', content: { 'text/event-stream': {} } },
            204: answer('Nothing more will come'),
          },
        },
      },
      '/api/progress': {
        get: {
          summary: 'Where a run stands',
          parameters: [
            inQuery('run', 'string', 'Without it: the newest.'),
            inQuery(
              'since',
              'integer',
              'An image_id: 304 while there is no newer picture and the run goes on.',
            ),
          ],
          responses: { 200: answer('Progress', progress), 304: answer('Nothing new'), 404: answer('No run') },
        },
      },
      '/api/live': {
        get: {
          summary: 'A WebSocket: JSON at each step, JPEG pictures',
          parameters: [inQuery('run', 'string', 'Without it: the newest.')],
          responses: { 101: answer('Switched') },
        },
      },
      '/api/versions': {
        get: { summary: 'Versions on disk, the newest first', responses: { 200: answer('Versions') } },
      },
      '/api/queue': {
        get: {
          summary: 'Sheets of the queue that --queue names, the newest last; without --queue: 404',
          responses: {
            200: answer('Sheets', z.array(queuedSheetSchema)),
            503: answer('The queue is away', faults),
          },
        },
      },
      '/api/queue/{sheet}': {
        get: {
          summary: 'One of them, by its id',
          parameters: [inPath('sheet')],
          responses: { 200: answer('The sheet', queuedSheetSchema), ...queueFaults },
        },
      },
      '/api/queue/{sheet}/retry': {
        post: {
          summary: 'Puts its jobs that were given up in again',
          parameters: [inPath('sheet')],
          responses: { 200: answer('Jobs put in', changedSchema), ...queueFaults },
        },
      },
      '/api/queue/{sheet}/cancel': {
        post: {
          summary: 'Takes it out: what waits is dropped, what is in work is finished',
          parameters: [inPath('sheet')],
          responses: { 200: answer('Jobs taken out', changedSchema), ...queueFaults },
        },
      },
      '/metrics': {
        get: {
          summary: 'What runs did since the server began, for Prometheus',
          responses: { 200: { description: 'Metrics', content: { 'text/plain': {} } } },
        },
      },
      '/files/{key}': {
        get: {
          summary: 'A published file by its key',
          parameters: [inPath('key')],
          responses: {
            200: answer('The file'),
            206: answer('A part'),
            304: answer('As you have it'),
            404: answer('Not published'),
          },
        },
      },
    },
  }
}
