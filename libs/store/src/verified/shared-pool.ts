import { allocateShared } from "./shared-memory.ts";

/** Shared memory for one large object after another: what is given back is used again. */
export interface SharedPool {
  /** `nBytes` of memory that all threads see, of any content. */
  take(nBytes: number): Uint8Array<SharedArrayBuffer>;
  /** Takes memory back that nobody reads or writes any more; who still does sees what it holds next. */
  give(buffer: SharedArrayBuffer): void;
  /** Bytes of what waits to be used again. */
  readonly idleBytes: number;
}

/** Below this the C library has pages at hand, and a buffer more is no matter. */
const MIN_POOLED_BYTES = 1024 * 1024;

/** How much a pool keeps. */
export interface SharedPoolOptions {
  /** Bytes that may wait to be used again; the newest stay. */
  readonly maxIdleBytes: number;
  /** How many times as large as what it holds memory may be: a cache that kept little in much would soon keep few. Default: any. */
  readonly maxSlack?: number;
}

/**
 * An empty pool. New memory costs what the kernel takes to find and clear its pages, and to take them back: a third of the time in
 * which an engine read and copied objects of 40 MB one after the other.
 */
export function createSharedPool({ maxIdleBytes, maxSlack = Number.POSITIVE_INFINITY }: SharedPoolOptions): SharedPool {
  const idle: SharedArrayBuffer[] = [];
  let idleBytes = 0;
  const remove = (index: number): SharedArrayBuffer | undefined => {
    const [buffer] = idle.splice(index, 1);
    idleBytes -= buffer?.byteLength ?? 0;
    return buffer;
  };
  return {
    take(nBytes) {
      if (nBytes < MIN_POOLED_BYTES) return allocateShared(nBytes);
      const index = indexOfTightest(idle, nBytes, nBytes * maxSlack);
      const buffer = index < 0 ? undefined : remove(index);
      return new Uint8Array(buffer ?? allocateShared(capacityFor(nBytes)).buffer, 0, nBytes);
    },
    give(buffer) {
      if (buffer.byteLength < MIN_POOLED_BYTES || buffer.byteLength > maxIdleBytes) return;
      idle.push(buffer);
      idleBytes += buffer.byteLength;
      while (idleBytes > maxIdleBytes) remove(0);
    },
    get idleBytes() {
      return idleBytes;
    },
  };
}

/** The smallest of `minBytes` to `maxBytes`; -1 when there is none. */
function indexOfTightest(buffers: readonly SharedArrayBuffer[], minBytes: number, maxBytes: number): number {
  let best = -1;
  for (const [index, { byteLength }] of buffers.entries()) {
    const isFit = byteLength >= minBytes && byteLength <= maxBytes;
    if (isFit && byteLength < (buffers[best]?.byteLength ?? Number.POSITIVE_INFINITY)) best = index;
  }
  return best;
}

/** A little more, in steps of an eighth, so that bags of about one size fit each other's memory; what is not touched takes none. */
function capacityFor(nBytes: number): number {
  const step = 2 ** Math.floor(Math.log2(nBytes)) / 8;
  return Math.ceil(nBytes / step) * step;
}
