/** Named values of a file that nobody has checked. */
export type ValueGroup = Record<string, unknown>;

/** Whether a value of a file is a group of named values, and no list, text or number. */
export function isValueGroup(value: unknown): value is ValueGroup {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
