/** File systems that cannot do it all: what cannot be done is told and gone without; what failed still fails. */
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { writeFileDurably } from '../../src/artifacts/durable-write.ts'
import { openLedger } from '../../src/artifacts/ledger.ts'
import { acquireLock } from '../../src/artifacts/lock.ts'
import { onWeakness, type WeaknessFound } from '../../src/artifacts/weak-file-system.ts'
import type { WriteHook, WritePoint } from '../../src/artifacts/write-points.ts'
import { temporaryFolder } from '../support/temp.ts'

const failing =
  (point: WritePoint, code: string): WriteHook =>
  (reached) => {
    if (reached === point) throw Object.assign(new Error(`${code}: played`), { code })
  }

function heard(): WeaknessFound[] {
  const found: WeaknessFound[] = []
  onTestFinished(onWeakness((weakness) => found.push(weakness)))
  return found
}

describe('a folder or file that cannot be synced', () => {
  it.each(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EACCES', 'EBADF', 'ENOTTY', 'EISDIR'])(
    '%s: what is written stands all the same, and it is told',
    async (code) => {
      const folder = await temporaryFolder()
      const found = heard()
      for (const point of ['folder-sync', 'file-sync'] as const) {
        const path = join(folder, point)
        await writeFileDurably(path, Buffer.from('whole'), { onPoint: failing(point, code) })
        expect(await readFile(path, 'utf8')).toBe('whole')
      }
      const ledger = await openLedger(join(folder, '.pregen/ledger.ndjson'), {
        onPoint: failing('folder-sync', code),
      })
      await ledger.close()
      expect(found.map(({ weakness, code: why }) => `${weakness} ${why}`)).toEqual(
        new Array(3).fill(`sync ${code}`),
      )
      expect(found[0]?.path).toBe(folder)
    },
  )

  it.each(['EIO', 'ENOSPC', 'EDQUOT', 'EROFS'])(
    '%s is the disk’s fault, and fails the write',
    async (code) => {
      const folder = await temporaryFolder()
      const found = heard()
      for (const point of ['folder-sync', 'file-sync'] as const) {
        const work = writeFileDurably(join(folder, 'a'), Buffer.from('x'), { onPoint: failing(point, code) })
        await expect(work).rejects.toMatchObject({
          code: code === 'ENOSPC' || code === 'EDQUOT' ? 'E_DISK_FULL' : 'E_WRITE_FAILED',
        })
      }
      expect(found).toEqual([])
    },
  )
})

describe('a lock where no hard link can be made', () => {
  it.each(['EPERM', 'ENOTSUP', 'EINVAL', 'EACCES', 'EIO', 'EXDEV', 'EMLINK', 'EWHATEVER'])(
    '%s: it is made in two steps, and still held by one alone',
    async (code) => {
      const path = join(await temporaryFolder(), '.pregen/lock')
      const found = heard()
      const onPoint = failing('lock-link', code)
      const lock = await acquireLock(path, { onPoint })
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid })
      await expect(acquireLock(path, { onPoint })).rejects.toMatchObject({ code: 'E_LOCKED' })
      await lock.release()
      expect(await readdir(dirname(path))).toEqual([])
      expect(found[0]).toEqual({ weakness: 'hard link', path, code })
    },
  )
})

it('permissions that cannot be set are told', async () => {
  const path = join(await temporaryFolder(), '.pregen/lock')
  const found = heard()
  const lock = await acquireLock(path, { onPoint: failing('make-private', 'EPERM') })
  await lock.release()
  expect(found).toEqual([{ weakness: 'permissions', path: dirname(path), code: 'EPERM' }])
})
