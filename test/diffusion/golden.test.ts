import { describe, it } from 'vitest'
import { readTrajectories, replay, trajectoryFiles } from './trajectory.ts'

describe.each(trajectoryFiles())('%s of diffusers 0.39', (file) => {
  it.each(readTrajectories(file))('$name', (trajectory) => {
    replay(trajectory)
  })
})
