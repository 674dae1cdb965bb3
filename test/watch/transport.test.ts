import { describe, expect, it } from 'vitest'
import { frameAt, timelineOf } from '../../src/watch/player/timeline.ts'
import { type Clock, Transport } from '../../src/watch/player/transport.ts'

/** A clock that the test moves; timers come late by as much as it says. */
function fakeClock(lateMs = 0) {
  let now = 1000
  let timers: { at: number; callback: () => void }[] = []
  const clock: Clock = {
    now: () => now,
    after(delayMs, callback) {
      const timer = { at: now + delayMs + lateMs, callback }
      timers.push(timer)
      return () => {
        timers = timers.filter((each) => each !== timer)
      }
    },
  }
  const advance = (untilMs: number) => {
    for (;;) {
      const next = timers.filter(({ at }) => at <= untilMs).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      timers = timers.filter((each) => each !== next)
      now = Math.max(now, next.at)
      next.callback()
    }
    now = Math.max(now, untilMs)
  }
  return { clock, advance }
}

function record(dueMs: readonly number[], lateMs = 0) {
  const { clock, advance } = fakeClock(lateMs)
  const told: [number, number, number][] = []
  let ends = 0
  let rounds = 0
  const transport = new Transport(
    {
      onDue: (index, plannedMs, actualMs) => told.push([index, plannedMs, actualMs]),
      onEnd: () => {
        ends += 1
      },
      onRound: () => {
        rounds += 1
      },
    },
    clock,
  )
  transport.load(dueMs)
  return { transport, told, advance, counts: () => ({ ends, rounds }) }
}

describe('the clock of a replay', () => {
  it('tells each moment once, never early', () => {
    const { transport, told, advance, counts } = record([100, 250, 300])
    transport.play()
    advance(1099)
    expect(told).toEqual([])
    advance(2000)
    expect(told).toEqual([
      [0, 100, 100],
      [1, 250, 250],
      [2, 300, 300],
    ])
    expect(counts()).toEqual({ ends: 1, rounds: 0 })
    expect([transport.playing, transport.atEnd, transport.positionMs]).toEqual([false, true, 300])
  })

  it('adds up no lateness, over rounds either', () => {
    const { transport, told, advance } = record([100, 250, 300], 7)
    transport.loop = true
    transport.holdMs = 50
    transport.play()
    advance(1000 + 3 * 350)
    expect(told.map(([index]) => index)).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2])
    expect(told.map(([, planned]) => planned)).toEqual([100, 250, 300, 450, 600, 650, 800, 950, 1000])
    for (const [, planned, actual] of told) expect(actual - planned).toBe(7)
  })

  it('changes its pace without a jump, and stops and goes on where it was', () => {
    const { transport, told, advance } = record([100, 200])
    transport.play()
    advance(1050)
    transport.setSpeed(2)
    expect(transport.positionMs).toBe(50)
    advance(1075)
    expect(told.map(([index]) => index)).toEqual([0])
    transport.pause()
    advance(5000)
    expect([told.length, transport.positionMs]).toEqual([1, 100])
    transport.play()
    advance(5050)
    expect(told.map(([index]) => index)).toEqual([0, 1])
    expect(() => transport.setSpeed(0)).toThrow(RangeError)
  })

  it('counts what a seek passes over as shown, and begins again at the end', () => {
    const { transport, told, advance } = record([100, 200, 300])
    transport.seek(200)
    transport.play()
    advance(1100)
    expect(told.map(([index, planned]) => [index, planned])).toEqual([[2, 100]])
    transport.play()
    advance(1400)
    expect(told.map(([index]) => index)).toEqual([2, 0, 1, 2])
  })

  it('tells moments that are due at 0', () => {
    const { transport, told, advance } = record([0, 0, 10])
    transport.play()
    advance(1010)
    expect(told.map(([index]) => index)).toEqual([0, 1, 2])
  })
})

describe('a timeline', () => {
  const value = { stepDurations: { '1': 1000, '2': 300, final: 500 } }

  it('adds the durations up', () => {
    expect(timelineOf(value)).toEqual({ steps: 2, dueMs: [1000, 1300, 1800], totalMs: 1800 })
    expect([0, 999, 1000, 1299, 1300, 1800, 9000].map((ms) => frameAt(timelineOf(value), ms))).toEqual([
      0, 0, 1, 1, 2, 3, 3,
    ])
  })

  it.each([
    null,
    {},
    { stepDurations: [] },
    { stepDurations: { '1': 5 } },
    { stepDurations: { '1': -5, final: 1 } },
    { stepDurations: { '2': 5, final: 1 } },
    { stepDurations: { '1': '5', final: 1 } },
  ])('refuses %j', (damaged) => {
    expect(() => timelineOf(damaged)).toThrow(TypeError)
  })
})
