import { DomainError } from "@parfocal/errors";
import type { Bag } from "../bag.ts";

// Legend: N tokens of a region or source in level order, D features.

/** Tiles of a square of cells as they were read, with the way to its tokens. */
export interface RegionSource {
  readonly d: number;
  readonly dtype: Bag["features"]["dtype"];
  /** Bytes of runs of rows. */
  readonly runs: readonly Uint8Array[];
  /** `[N]` which run holds the token; −1: the tile is absent. */
  readonly run: Int16Array;
  /** `[N]` first byte of the token in its run. */
  readonly offsetBytes: Uint32Array;
}

/** Tokens of one region; the arrays may be used again and again. */
export interface RegionTokens {
  /** `[N, D]` row-major, half words for F16; zeros where the tile is absent. */
  readonly tokens: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  /** `[N]`, 1 where the tile is there. */
  readonly present: Uint8Array<ArrayBuffer>;
}

/** Room for the tokens of a region. */
export function createRegionTokens(n: number, { d, dtype }: Pick<RegionSource, "d" | "dtype">): RegionTokens {
  const tokens = dtype === "F16" ? new Uint16Array(n * d) : new Float32Array(n * d);
  return { tokens, present: new Uint8Array(n) };
}

/**
 * Writes tokens of a source into `out`: token t becomes that of `indices[t]` (a view of the source: crop and turn), or all of
 * them in their order. Rows that lie one after another are copied in one piece; values are copied as they are.
 *
 * @throws {DomainError} SHAPE_MISMATCH when `out` has no room for exactly these tokens.
 */
export function gatherTokensInto(source: RegionSource, out: RegionTokens, indices?: Int32Array): void {
  const { d, dtype, run, offsetBytes, runs } = source;
  const n = indices?.length ?? run.length;
  const rowBytes = d * (dtype === "F16" ? 2 : 4);
  const { tokens, present } = out;
  if (present.length !== n || tokens.byteLength !== n * rowBytes) {
    const room = `tokens of ${tokens.byteLength} bytes and ${present.length} flags`;
    throw new DomainError("SHAPE_MISMATCH", `${room} were given for [${n}, ${d}] ${dtype}`);
  }
  const target = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  const at = (t: number) => (indices === undefined ? t : (indices[t] ?? 0));
  for (let t = 0; t < n; ) {
    const first = at(t);
    const from = run[first] ?? -1;
    const start = offsetBytes[first] ?? 0;
    let count = 1;
    while (t + count < n && isNext(source, at(t + count), from, start + count * rowBytes)) count += 1;
    present.fill(from < 0 ? 0 : 1, t, t + count);
    const bytes = runs[from];
    if (bytes === undefined) target.fill(0, t * rowBytes, (t + count) * rowBytes);
    else target.set(bytes.subarray(start, start + count * rowBytes), t * rowBytes);
    t += count;
  }
}

/** Whether a token follows the byte `end` of a run; absent ones follow absent ones. */
function isNext({ run, offsetBytes }: RegionSource, token: number, from: number, end: number): boolean {
  return run[token] === from && (from < 0 || offsetBytes[token] === end);
}
