/** Pushes what happens in a run to all who look at it. The run knows of none of them. */
import type { WebSocket } from 'ws'
import type { RunEvent } from '../../run/events.ts'
import { z } from '../../zod.ts'
import { RunFollower } from '../runs/follow-run.ts'
import type { RunList } from '../runs/run-list.ts'
import type { LivePictures } from './live-picture.ts'
import { ProgressSource } from './progress.ts'

const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('visibility'), visible: z.boolean() }),
  z.object({ type: z.literal('every'), steps: z.int().min(1).max(10_000) }),
  z.object({ type: z.literal('unfocused'), keep: z.boolean() }),
])

/** How often logs are looked at while somebody looks. */
const LOOK_MS = 60
/** How often it is asked whether a run is still there, and whether a newer one has begun. */
const ASK_MS = 1000
/** A client that says nothing of its visibility by then is shown pictures. */
const SILENCE_MS = 300
/** A picture waits, and gives way to newer ones, while more than this is on its way. */
const MAX_ON_THE_WAY = 64 * 1024
/** A client that reads nothing is let go. */
const MAX_BACKLOG = 1024 * 1024

interface Viewer {
  readonly socket: WebSocket
  /** null: the newest, whichever that is. */
  readonly wanted: string | null
  run: string | null
  /** null: it has not said. */
  visible: boolean | null
  keep: boolean
  every: number
  since: number
  /** Of the picture that it was sent last. */
  pictureId: number
}

export class LiveHub {
  readonly #runs: RunList
  readonly #pictures: LivePictures
  readonly #viewers = new Set<Viewer>()
  readonly #live = new Map<string, { run: ProgressSource; end: () => void; isGoing: boolean }>()
  #timer: ReturnType<typeof setInterval> | null = null
  #askedAt = 0
  #isLooking = false

  readonly #onFault: (error: unknown) => void

  /** @param onFault told of what no viewer can help; the hub goes on */
  constructor(runs: RunList, pictures: LivePictures, onFault: (error: unknown) => void) {
    this.#runs = runs
    this.#pictures = pictures
    this.#onFault = onFault
  }

  get viewers(): number {
    return this.#viewers.size
  }

  /** A run as late comers find it, up to date. null: there is none. */
  async look(
    wanted: string | null,
  ): Promise<{ readonly run: ProgressSource; readonly isGoing: boolean } | null> {
    const id = wanted ?? (await this.#runs.newest('run'))
    if (id === null || !this.#runs.ids().includes(id)) return null
    const entry = this.#open(id)
    await entry.run.follower.update()
    entry.isGoing = !(await this.#runs.isOver(id))
    return entry
  }

  async attach(socket: WebSocket, wanted: string | null): Promise<void> {
    const viewer: Viewer = {
      ...{ socket, wanted, run: null, visible: null, keep: false, every: 1 },
      ...{ since: performance.now(), pictureId: -1 },
    }
    this.#viewers.add(viewer)
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.#onMessage(viewer, String(data))
    })
    socket.on('close', () => this.#drop(viewer))
    socket.on('error', () => socket.terminate())
    this.#timer ??= setInterval(() => void this.#tick().catch(this.#sendAway), LOOK_MS).unref()
    await this.#show(viewer).catch(this.#sendAway)
  }

  /** Tells what has come by now, and sends everybody away. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    if (this.#viewers.size > 0) await this.#lastLook().catch(this.#sendAway)
    for (const { socket } of this.#viewers) socket.close(1001, 'the server ends')
    for (const { end } of this.#live.values()) end()
    this.#live.clear()
  }

  /** The run may be drawing in this very process: whatever goes wrong with watching ends watching, and viewers ask anew. */
  readonly #sendAway = (error: unknown): void => {
    for (const { socket } of this.#viewers) socket.close(1011, 'the run cannot be followed')
    this.#onFault(error)
  }

  #drop(viewer: Viewer): void {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  #onMessage(viewer: Viewer, text: string): void {
    const message = messageSchema.safeParse(parseJson(text)).data
    if (message?.type === 'visibility') viewer.visible = message.visible
    else if (message?.type === 'every') viewer.every = message.steps
    else if (message?.type === 'unfocused') viewer.keep = message.keep
  }

  #open(id: string) {
    const known = this.#live.get(id)
    if (known !== undefined) return known
    // One of its own: it must hear every event from the first on.
    const follower = new RunFollower(this.#runs.inside, id)
    const run = new ProgressSource(follower, this.#runs.out)
    const unsubscribe = follower.subscribe((event) => this.#onEvent(id, event))
    const end = () => {
      unsubscribe()
      run.close()
    }
    const entry = { run, end, isGoing: true }
    this.#live.set(id, entry)
    return entry
  }

  /** The present state, at once. */
  async #show(viewer: Viewer): Promise<void> {
    const found = await this.look(viewer.wanted)
    if (found === null) {
      send(viewer, {
        type: 'progress',
        active: false,
        completed: false,
        run: null,
        progress: 0,
        has_image: false,
      })
      return
    }
    viewer.run = found.run.follower.id
    send(viewer, { ...found.run.progress(found.isGoing), has_image: false })
  }

  async #tick(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const now = performance.now()
      if (now - this.#askedAt > ASK_MS) {
        this.#askedAt = now
        await this.#ask()
      }
      const watched = new Set([...this.#viewers].map(({ run }) => run))
      for (const [id, { run }] of this.#live) if (watched.has(id)) await run.follower.update()
      await this.#sendPictures()
    } finally {
      this.#isLooking = false
    }
  }

  /** Runs that ended without a word, and viewers of the newest where a newer one has begun. */
  async #ask(): Promise<void> {
    const newest = await this.#runs.newest('run')
    for (const viewer of this.#viewers) {
      if (viewer.socket.bufferedAmount > MAX_BACKLOG) viewer.socket.terminate()
      else if (viewer.wanted === null && viewer.run !== newest) await this.#show(viewer)
    }
    for (const [id, entry] of this.#live) {
      if (!entry.isGoing || !(await this.#runs.isOver(id))) continue
      entry.isGoing = false
      if (entry.run.follower.state.end === null) this.#tell(id)
    }
  }

  async #lastLook(): Promise<void> {
    for (const [id, entry] of this.#live) {
      entry.isGoing = !(await this.#runs.isOver(id))
      await entry.run.follower.update()
      if (!entry.isGoing && entry.run.follower.state.end === null) this.#tell(id)
    }
  }

  #onEvent(id: string, { type }: RunEvent): void {
    if (type === 'step' || type === 'unit-started' || type === 'unit-failed' || type === 'run-finished')
      this.#tell(id)
  }

  #tell(id: string): void {
    const entry = this.#live.get(id)
    if (entry === undefined) return
    const message = { ...entry.run.progress(entry.isGoing), has_image: false }
    for (const viewer of this.#viewers) if (viewer.run === id) send(viewer, message)
  }

  /** The newest picture to each who wants one and has it not: one encoding for all of them. */
  async #sendPictures(): Promise<void> {
    const now = performance.now()
    for (const [id, { run, isGoing }] of this.#live) {
      const { picture } = run
      if (picture === null) continue
      const wants = ({ visible, keep, since }: Viewer) => keep || (visible ?? now - since > SILENCE_MS)
      const receivers = [...this.#viewers].filter(
        (viewer) =>
          viewer.run === id &&
          viewer.pictureId < picture.id &&
          wants(viewer) &&
          (picture.isFinal || picture.step % viewer.every === 0) &&
          viewer.socket.bufferedAmount <= MAX_ON_THE_WAY,
      )
      if (receivers.length === 0) continue
      const jpeg = await this.#pictures.get(picture.path, `${id} ${picture.id}`)
      const message = { ...run.progress(isGoing), ...labelOfPicture(picture), has_image: jpeg !== null }
      for (const viewer of receivers) {
        viewer.pictureId = picture.id
        send(viewer, message)
        if (jpeg !== null && viewer.socket.readyState === viewer.socket.OPEN)
          viewer.socket.send(jpeg, { binary: true })
      }
    }
  }
}

/** The picture may be of an earlier step than the one that is being told. */
function labelOfPicture({
  id,
  cue,
  variant,
  step,
}: {
  id: number
  cue: string
  variant: string
  step: number
}) {
  return { image_id: id, image_cue: cue, image_variant: variant, image_step: step }
}

function send({ socket }: Viewer, message: object): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
}

/** undefined for what is no JSON: a client's slip is passed over. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
