/** A worker that counts. Its argument is the module that serves calls. */
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
  },
}))
