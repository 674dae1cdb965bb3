/** `pregen prune`: tells of variants that the sheet has no more, and removes them when told to. */

import { plural } from '../../printable.ts'
import { pruneSheet } from '../../tasks/prune.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printLine, printLines } from '../print.ts'
import { type SelectFlags, toSelectOptions } from '../select-options.ts'

export async function pruneCommand(
  sheetPath: string,
  flags: SelectFlags & { readonly yes?: boolean; readonly dryRun?: boolean },
): Promise<ExitCode> {
  const result = await pruneSheet({
    ...toSelectOptions(sheetPath, flags),
    remoteImages: 'skip',
    remove: flags.yes === true,
    withBucket: flags.dryRun !== true,
  })
  const { onDisk, inBucket, films, isDone, version } = result
  const tell = (where: string, keys: readonly string[]) => keys.map((key) => `${where}  ${key}`)
  printLines(process.stdout, [
    ...tell('disk  ', [...onDisk, ...films.onDisk]),
    ...tell('bucket', [...inBucket, ...films.inBucket]),
  ])
  const filmed = films.onDisk.length + films.inBucket.length
  const alsoFilms =
    filmed === 0
      ? ''
      : `; ${plural(films.onDisk.length, 'film')} on disk, ${films.inBucket.length} in the bucket`
  const found = `${plural(onDisk.length, 'variant')} on disk, ${inBucket.length} in the bucket, no longer in the sheet${alsoFilms}`
  const end =
    onDisk.length + inBucket.length + filmed === 0 ? '' : isDone ? ': removed' : ': --yes removes them'
  printLine(process.stdout, `${version}: ${found}${end}`)
  return EXIT.ok
}
