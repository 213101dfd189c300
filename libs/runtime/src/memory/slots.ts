/** Values that come and go, each under the number of its place; a place that became free is used again. */
export interface Slots<T extends object> {
  /** Keeps a value; gives its place. */
  add(value: T): number;
  /** The value in a place; `undefined` when the place is free. */
  at(place: number): T | undefined;
  /** Frees a place; one that is free stays so. */
  remove(place: number): void;
  /** What is kept now. */
  values(): readonly T[];
}

/**
 * Empty {@link Slots}, for what long-lived objects know of every call.
 *
 * No `Map`, `Set` or listeners of a long-lived signal: entries that come and go leave tables and list items behind that point at
 * the next ones. Once one of these is old, V8 takes all that came after it for used until the next full collection, the whole
 * state of every call with it. A place that is written over leaves nothing behind.
 */
export function createSlots<T extends object>(): Slots<T> {
  const values: (T | undefined)[] = [];
  const free: number[] = [];
  return {
    add(value) {
      const place = free.pop() ?? values.length;
      values[place] = value;
      return place;
    },
    at: (place) => values[place],
    remove(place) {
      if (values[place] === undefined) return;
      values[place] = undefined;
      free.push(place);
    },
    values: () => values.filter((value) => value !== undefined),
  };
}
