import type { Bag } from "../bag.ts";
import { childMeanInto } from "./child-mean.ts";
import type { GroundedSlide } from "./ground-bags.ts";
import { SURROGATE } from "./surrogate-tiles.ts";

/** The rows of features of a grounded slide. */
export interface RowSource {
  /** Bytes of a row. */
  readonly rowBytes: number;
  /** Copies row `at` of the slide's N into `target` from byte `start` on; that of a stand-in is computed for it. */
  copyRow(at: number, target: Uint8Array, start: number): void;
}

/** D features of one tile. */
type Features = Float16Array | Float32Array;

/**
 * Gives rows of features as they are stored. A stand-in's are made when they are asked for, of children that may be stand-ins
 * themselves: nothing of them is kept but one row for each child of each magnification.
 */
export function createRowSource(bags: readonly Bag[], { bag, row, level, children }: GroundedSlide): RowSource {
  const sources = bags.map(({ features: { dtype, data } }) =>
    dtype === "F16" ? new Float16Array(data.buffer, data.byteOffset, data.length) : data,
  );
  const d = bags[0]?.d ?? 0;
  const createRow = () => (bags[0]?.features.dtype === "F16" ? new Float16Array(d) : new Float32Array(d));
  const rooms = createRooms(createRow);

  /** The row; a stand-in's lies in `room` until another one is made there. */
  const rowAt = (at: number, room: () => Features): Features => {
    const first = row[at] ?? 0;
    const source = sources[bag[at] ?? 0];
    if (bag[at] !== SURROGATE && source !== undefined) return source.subarray(first * d, (first + 1) * d);
    // Children are one level finer than their parent, so no two generations share a room.
    const childLevel = (level[at] ?? 1) - 1;
    const child = (k: number) => rowAt(children[4 * first + k] ?? 0, () => rooms(childLevel, k));
    const target = room();
    childMeanInto(target, [child(0), child(1), child(2), child(3)]);
    return target;
  };
  const made = createRow();
  return {
    rowBytes: made.byteLength,
    copyRow(at, target, start) {
      const { buffer, byteOffset, byteLength } = rowAt(at, () => made);
      target.set(new Uint8Array(buffer, byteOffset, byteLength), start);
    },
  };
}

/** Rows by level and child, made when they are first needed. */
function createRooms(createRow: () => Features): (level: number, k: number) => Features {
  const rooms = new Map<number, Features>();
  return (level, k) => {
    const found = rooms.get(4 * level + k) ?? createRow();
    rooms.set(4 * level + k, found);
    return found;
  };
}
