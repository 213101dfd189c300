import { randomBytes } from "node:crypto";
import { abortErrorFromSignal } from "@parfocal/errors";

/** Time as the driver sees it, injected so that tests choose it. */
export interface Clock {
  /** Wall clock in ms since 1970: shown to people, never compared between machines. */
  nowMs(): number;
  /** Never steps back; only differences mean anything. */
  monotonicMs(): number;
  /** Resolves after `ms`; rejects with `CANCELLED` (or the signal's own error) as soon as `signal` fires. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of the machine. */
export function createSystemClock(): Clock {
  return { nowMs: () => Date.now(), monotonicMs: () => performance.now(), delay };
}

/** `nBytes` of the system's generator as lower-case hex. */
export function randomHex(nBytes: number): string {
  return randomBytes(nBytes).toString("hex");
}

/** Uniform in [0, 1) with 32 bits of the system's generator. */
export function randomUniform(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortErrorFromSignal(signal));
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(abortErrorFromSignal(signal!));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
