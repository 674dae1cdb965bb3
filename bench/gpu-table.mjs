/** The results of bench/gpu.mjs as the tables of docs/performance.md. */

const cell = (value, unit = '') => (value === null || value === undefined ? '–' : `${value}${unit}`)

const COLUMNS = [
  ['', ({ title }) => title],
  ['pictures', ({ done, failedUnits }) => (failedUnits ? `${done}, ${failedUnits} failed` : cell(done))],
  ['step, ms', ({ stepMs }) => cell(stepMs)],
  ['step 1 ÷ median', ({ firstStepOverMedian }) => cell(firstStepOverMedian)],
  ['… without warm-up', ({ firstStepWithoutWarmUp }) => cell(firstStepWithoutWarmUp)],
  ['(wall − load) ÷ Σ', ({ overhead }) => cell(overhead)],
  ['s a picture', ({ secondsAPicture }) => cell(secondsAPicture)],
  ['load, ms', ({ loadMs }) => cell(loadMs)],
  ['uploads', ({ uploaded }) => cell(uploaded)],
  ['peak, MiB', ({ peakMib }) => cell(peakMib)],
]

export function toMarkdown({ provider, rehearse, started, node, parts }) {
  const named = (title) => parts.find((one) => one.title === title) ?? {}
  const { cards = [], processor } = named('card')
  const head = `${started.slice(0, 10)}, ${cards.join('; ') || 'no card'}, ${processor ?? ''}, Node ${node.slice(1)}, ${provider}.`
  const runs = parts.filter((one) => 'stepMs' in one)
  const rows = runs.map((one) => `| ${COLUMNS.map(([, of]) => of(one)).join(' | ')} |`)
  const table = [
    `| ${COLUMNS.map(([name]) => name).join(' | ')} |`,
    `|---|${COLUMNS.slice(1)
      .map(() => '---:|')
      .join('')}`,
    ...rows,
  ]
  const lines = parts.flatMap((one) => {
    if (one.skipped) return [`- ${one.title}: left out, ${one.skipped}`]
    if (one.failed) return [`- ${one.title}: FAILED, ${one.failed}`]
    if (one.callMs !== undefined)
      return [`- ${one.title}: ${one.callMs} ms a call, the first ${one.firstMs} ms`]
    const compared = one.pictures
      ? [
          `- ${one.title}: ${one.pictures} pictures, at most ${one.largestLevels} levels apart, ${one.percentBeyondOne} % of values by more than 1`,
        ]
      : []
    const chosen = one.batch
      ? [
          `- ${one.title}: chose ${one.batch} (${one.batchStepMs.map(({ batch, ms }) => `${batch}: ${ms} ms`).join(', ')} a picture’s step)`,
        ]
      : []
    return [...compared, ...chosen]
  })
  const note = rehearse ? ['A rehearsal with tiny models: its figures mean nothing.', ''] : []
  return `${[...note, head, '', ...table, '', ...lines].join('\n')}\n`
}
