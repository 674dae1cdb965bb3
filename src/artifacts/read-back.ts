/** Checks of JSON that is read back, whoever wrote it. */
import type { z } from '../zod.ts'

/**
 * Checks a value by its schema and gives it as it was written: zod's copy has its keys in the schema's order, and what
 * is marked or written again must keep its own.
 * @param schema one that transforms nothing
 */
export function asWritten<T>(
  schema: z.ZodType<T>,
  value: unknown,
): { readonly data: T; readonly error?: never } | { readonly data?: never; readonly error: z.ZodError } {
  const read = schema.safeParse(value)
  return read.success ? { data: value as T } : { error: read.error }
}

/** Whether parsed JSON is nested no deeper than this: what walks it, or writes it again, recurses. */
export function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}
