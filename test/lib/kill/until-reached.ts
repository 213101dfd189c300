import { setTimeout as sleep } from "node:timers/promises";
import { isDomainError } from "@parfocal/errors";

/** A deployment that does not answer for this long, with all its processes started again, is broken, ms. */
const PATIENCE_MS = 300_000;

/** Calls again while nobody answers, as every client of a deployment must. Any other failure is thrown on. */
export async function untilReached<T>(call: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isDomainError(error, "UNREACHABLE") || performance.now() > untilMs) throw error;
      await sleep(100);
    }
  }
}
