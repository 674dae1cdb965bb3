/**
 * The library that checks what is read back. Everything takes it from here, and the build makes one file of the two:
 * loaded as its hundred modules, half of them translations, it would be the largest part of a command's start.
 */
export { z } from 'zod'
