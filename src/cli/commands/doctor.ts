/** `pregen doctor`: what works here, and what to do about the rest. */

import { embeddedModels } from '../../library/package.ts'
import { examine, type Finding } from '../../tasks/examine.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'

/** @returns 0 when the sheet's models and bucket work (absent GPU providers are no fault), else 3 */
export async function doctorCommand(
  sheetPath: string | undefined,
  flags: { readonly json?: boolean },
): Promise<ExitCode> {
  const findings = await examine({ sheetPath, env: process.env, embeddedModels })
  if (flags.json === true) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`)
  else process.stdout.write(`${findings.map(lineOf).join('\n')}\n`)
  const hinders = ({ area, name, works }: Finding) => !works && (area !== 'provider' || name === 'cpu')
  return findings.some(hinders) ? EXIT.someFailed : EXIT.ok
}

function lineOf({ area, name, works, detail, help }: Finding): string {
  const line = `${works ? '✓' : '✗'} ${area.padEnd(8)} ${name.padEnd(10)} ${detail}`
  return help === null ? line : `${line}\n    ${help}`
}
