import type { DomainError } from "@parfocal/errors";
import { errorFromWire } from "../wire.ts";
import type { ReadBytes } from "./read-source.ts";
import type { ReaderReply } from "./reader-thread.ts";

/** Reads that the reading thread was asked for and has not answered to the end. */
export interface PendingReads {
  /** One more, and what will come of it. */
  add(): { readonly id: number; readonly read: Promise<ReadBytes> };
  /** What the thread says of one. */
  hear(reply: ReaderReply): void;
  /** None will be answered. */
  failAll(error: DomainError): void;
}

interface Pending {
  readonly bytes: PromiseWithResolvers<ReadBytes>;
  readonly verified: PromiseWithResolvers<void>;
}

/** No reads yet. */
export function createPendingReads(): PendingReads {
  const reads = new Map<number, Pending>();
  let lastId = 0;

  function end(id: number): Pending | undefined {
    const pending = reads.get(id);
    reads.delete(id);
    return pending;
  }
  function fail(id: number, error: DomainError): void {
    const pending = end(id);
    pending?.bytes.reject(error);
    pending?.verified.reject(error);
  }

  return {
    add() {
      const pending: Pending = { bytes: Promise.withResolvers(), verified: Promise.withResolvers() };
      pending.verified.promise.catch(() => undefined);
      lastId += 1;
      reads.set(lastId, pending);
      return { id: lastId, read: pending.bytes.promise };
    },
    hear(reply) {
      switch (reply.kind) {
        case "failed":
          fail(reply.id, errorFromWire(reply.error));
          return;
        case "verified":
          end(reply.id)?.verified.resolve();
          return;
        case "bytes": {
          const { id, bytes, isVerifying } = reply;
          const { promise: verified } = reads.get(id)?.verified ?? {};
          reads.get(id)?.bytes.resolve({ bytes, ...(isVerifying && verified && { verified }) });
          if (!isVerifying) end(id);
        }
      }
    },
    failAll(error) {
      for (const id of [...reads.keys()]) fail(id, error);
    },
  };
}
