import { setTimeout as sleep } from "node:timers/promises";
import { isDomainError } from "@parfocal/errors";

/** Calls again while nobody answers, as every client of a deployment must. Any other failure is thrown on. */
export async function untilReached<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isDomainError(error, "UNREACHABLE")) throw error;
      await sleep(100);
    }
  }
}
