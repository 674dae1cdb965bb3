/** A worker that counts, and adds to arrays. Its argument is the module that serves calls. */
const { serveCalls } = await import(process.argv[2])

serveCalls(() => ({
  sessionRunMs: () => 0,
  handlers: {
    async count(most, { handOut, breathe, isCancelled }) {
      let number = 0
      while (number < most && !isCancelled()) {
        // Never far ahead of the other side, however slow that is.
        await handOut(++number)
        await breathe()
      }
      return `counted to ${number}`
    },
    async raise({ times, values }, { handOut }) {
      const bytes = new Uint8Array(values.length).map((_, index) => values[index] % 256)
      for (let time = 1; time <= times; time++) {
        for (let index = 0; index < values.length; index++) values[index]++
        await handOut({ time, values })
      }
      return { values, bytes }
    },
  },
}))
