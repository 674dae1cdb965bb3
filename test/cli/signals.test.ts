/** Which signals end, drain or concern a command at all: those of this very process, which the watch takes. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { ignoresHangup } from '../../src/cli/hangup.ts'
import { type SignalOptions, watchSignals } from '../../src/cli/signals.ts'

function watch(options: SignalOptions = {}) {
  const said: string[] = []
  const signals = watchSignals((line) => said.push(line), options)
  onTestFinished(signals.close)
  return { ...signals, said }
}

describe('watchSignals', () => {
  it.each([
    ['SIGHUP', 129],
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends with %i', (name, code) => {
    const { signal, draining, exitCode } = watch({ drain: 'asked' })
    process.emit(name)
    expect([signal.aborted, draining.aborted, exitCode()]).toEqual([true, false, code])
  })

  it('says how to finish the picture first, where that can be done', () => {
    const run = watch({ drain: 'asked' })
    process.emit('SIGINT')
    expect(run.said.join('\n')).toContain(`kill -USR1 ${process.pid}`)
    expect(run.said.join('\n')).toContain('--drain')
    run.close()
    const other = watch()
    process.emit('SIGINT')
    expect(other.said).toEqual(['SIGINT: finishing what is done; once more to end at once'])
  })

  it('SIGUSR1 drains; a signal that ends still ends', () => {
    const { signal, draining, exitCode } = watch({ drain: 'asked' })
    process.emit('SIGUSR1')
    expect([signal.aborted, draining.aborted, exitCode()]).toEqual([false, true, null])
    process.emit('SIGTERM')
    expect([signal.aborted, exitCode()]).toEqual([true, 143])
  })

  it('with --drain the first of any drains, and the second ends', () => {
    const { signal, draining, exitCode, said } = watch({ drain: 'first' })
    process.emit('SIGTERM')
    expect([signal.aborted, draining.aborted, exitCode()]).toEqual([false, true, null])
    expect(said[0]).toContain('SIGTERM: finishing the pictures in hand')
    process.emit('SIGINT')
    expect([signal.aborted, exitCode()]).toEqual([true, 130])
  })

  it('a process in the background does not mind a terminal that closes', () => {
    const { signal, exitCode } = watch({ drain: 'asked', isDetached: true })
    process.emit('SIGHUP')
    expect([signal.aborted, exitCode()]).toEqual([false, null])
  })

  it('a command with nothing to drain goes on at SIGUSR1, and opens no debugger', () => {
    const { signal, draining } = watch()
    process.emit('SIGUSR1')
    expect([signal.aborted, draining.aborted]).toEqual([false, false])
  })
})

describe('ignoresHangup', () => {
  const nothing = () => ''
  const parent = `/proc/${process.ppid}/status`

  it('knows nohup by what it leaves, and a shell that ignores SIGHUP by its mask', () => {
    expect(ignoresHangup({ _: '/usr/bin/nohup' }, nothing)).toBe(true)
    const input = (path: string) => (path === '/proc/self/fdinfo/0' ? 'pos:\t0\nflags:\t0100001\n' : '')
    expect(ignoresHangup({ _: '/usr/bin/env' }, input)).toBe(true)
    const mask = (bits: string) => (path: string) => (path === parent ? `SigIgn:\t${bits}\n` : '')
    expect(ignoresHangup({}, mask('0000000000000001'))).toBe(true)
    expect(ignoresHangup({}, mask('0000000000001004'))).toBe(false)
    expect(ignoresHangup({}, nothing)).toBe(false)
  })
})
