/** `pregen doctor`: what works here, and what to do about the rest. */
import { cacheFolder } from '../../library/home.ts'
import { examineSheet, type Finding } from '../../tasks/examine.ts'
import { conceal } from '../concealed.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printJson, printLines } from '../print.ts'
import { type EndpointFlags, type SheetFlags, toEndpointPolicy, toReadOptions } from '../select-options.ts'

/** @returns 0 when the sheet's models and bucket work (absent GPU providers are no fault), else 3 */
export async function doctorCommand(
  sheetPath: string | undefined,
  flags: SheetFlags & EndpointFlags & { readonly json?: boolean },
): Promise<ExitCode> {
  const how = { ...toReadOptions(flags), ...toEndpointPolicy(flags) }
  const found = await examineSheet({ ...how, sheetPath, cacheDir: cacheFolder(process.env) })
  const findings = found.map(concealed)
  if (flags.json === true) printJson(process.stdout, findings, 2)
  else printLines(process.stdout, findings.flatMap(linesOf))
  const hinders = ({ area, name, works }: Finding) => !works && (area !== 'provider' || name === 'cpu')
  return findings.some(hinders) ? EXIT.someFailed : EXIT.ok
}

function concealed(finding: Finding): Finding {
  const { detail, help } = finding
  return { ...finding, detail: conceal(detail), help: help === null ? null : conceal(help) }
}

function linesOf({ area, name, works, detail, help }: Finding): string[] {
  const line = `${works ? '✓' : '✗'} ${area.padEnd(8)} ${name.padEnd(10)} ${detail}`
  return help === null ? [line] : [line, `    ${help}`]
}
