/** Every id that a person chose: fit for a folder name, and unlike its neighbours. */
import type { SheetDocument } from './convert.ts'
import { type Faults, formatPath, quoteName, type SheetPath } from './faults.ts'
import { findIdFault, foldId } from './ids.ts'

export function checkIds(doc: SheetDocument, faults: Faults): void {
  const lists: SheetPath[] = [['models'], ['programs'], ['cues']]
  for (const cue of doc.keys(['cues'])) lists.push(['cues', cue, 'variants'])
  for (const list of lists) checkList(list, doc, faults)
}

function checkList(list: SheetPath, doc: SheetDocument, faults: Faults): void {
  const isFolder = list[0] === 'cues'
  const folds = new Map<string, string>()
  for (const id of doc.keys(list)) {
    const fault = findIdFault(id, isFolder)
    if (fault) {
      const message = `The id ${quoteName(id)} under ${formatPath(list)} ${fault.why}.`
      faults.add(fault.code, doc.locate([...list, id], 'key'), message, fault.help)
    }
    const fold = foldId(id)
    const twin = folds.get(fold)
    if (twin === undefined) folds.set(fold, id)
    else {
      const message = `The ids ${quoteName(twin)} and ${quoteName(id)} under ${formatPath(list)} are one name on some file systems.`
      const help = 'Let them differ in more than case or the way accents are stored.'
      faults.add('E_IDS_COLLIDE', doc.locate([...list, id], 'key'), message, help)
    }
  }
}
