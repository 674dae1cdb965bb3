import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { injectionFromEnv, toSelectOptions } from '../../src/cli/select-options.ts'
import { cacheFolder } from '../../src/library/home.ts'

describe('toSelectOptions', () => {
  it('makes every flag that is absent plain', () => {
    const options = toSelectOptions('cues.yaml', { out: 'out' })
    expect(options).toMatchObject({
      sheetPath: 'cues.yaml',
      outDir: 'out',
      force: false,
      allowPrivateUrls: false,
    })
    expect(options.embeddedModels.backdrop).toMatch(/models.backdrop$/)
  })

  it('hands on what was asked for', () => {
    const flags = {
      out: 'o',
      cue: 'd*',
      variant: 'v',
      program: 'P1',
      shard: '1/2',
      shardTotal: 2,
      versionId: 'v2',
    }
    const { out, ...same } = flags
    expect(toSelectOptions('a', { ...flags, force: true })).toMatchObject({
      ...same,
      outDir: out,
      force: true,
    })
  })
})

describe('cacheFolder', () => {
  it('follows XDG_CACHE_HOME, unless that is no absolute path', () => {
    const home = join(homedir(), '.cache', 'pregen')
    expect(cacheFolder({ XDG_CACHE_HOME: '/var/cache' })).toBe(join('/var/cache', 'pregen'))
    expect(cacheFolder({ XDG_CACHE_HOME: 'cache' })).toBe(home)
    expect(cacheFolder({})).toBe(home)
  })
})

describe('injectionFromEnv', () => {
  it('reads points with and without a detail', () => {
    expect(injectionFromEnv('preview-encode@2=throw,generated=kill,renamed#3=enospc')).toEqual({
      'preview-encode@2': 'throw',
      generated: 'kill',
      'renamed#3': 'enospc',
    })
  })

  it('is empty where nothing is set', () => {
    expect([injectionFromEnv(undefined), injectionFromEnv('')]).toEqual([{}, {}])
  })

  it.each(['generated', '=kill', 'generated=explode', 'generated=kill,'])('refuses %j', (text) => {
    expect(() => injectionFromEnv(text)).toThrow(
      /PREGEN_FAULTS: ".*" is not point=throw\|kill\|crash\|enospc\|stall/,
    )
  })
})
