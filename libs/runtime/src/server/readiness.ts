import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import type { Logger } from "../telemetry/logger.ts";
import type { Health } from "./health.ts";

/** One thing that must be so before a server can serve. */
export interface ReadinessCheck {
  /** What it is, for the log: `store`, `engine`, `aggregate`. */
  readonly name: string;
  /** Throws when it is not so. */
  check(signal: AbortSignal): Promise<unknown>;
}

/** Options of {@link createReadiness}. */
export interface ReadinessOptions {
  readonly checks: readonly ReadinessCheck[];
  readonly logger: Logger;
  /** Pause between two looks, ms. */
  readonly intervalMs: number;
  /** Longest wait for one check, ms. Default 2000. */
  readonly timeoutMs?: number;
}

/** Whether a server is ready, looked at again and again. */
export interface Readiness {
  /** As of the last look. */
  readonly isReady: boolean;
  /** Looks now. */
  look(): Promise<boolean>;
  /** Tells a server's health from now on. */
  attach(health: Pick<Health, "setServing">, services: readonly string[]): void;
  close(): void;
}

/**
 * Looks at every check now and then at every `intervalMs`. A server is ready while all of them pass; health hears of every
 * change, and the log of what changed.
 */
export async function createReadiness(options: ReadinessOptions): Promise<Readiness> {
  const { checks, logger, intervalMs, timeoutMs = 2000 } = options;
  const failing = new Map<string, string>();
  let tell = (_: boolean): void => {};
  let looking: Promise<boolean> | undefined;

  async function lookAt({ name, check }: ReadinessCheck): Promise<void> {
    const before = failing.get(name);
    try {
      await bounded(check, timeoutMs);
      failing.delete(name);
      if (before !== undefined) logger.info(`ready again: ${name}`);
    } catch (error) {
      const code = isDomainError(error) ? error.code : "INTERNAL";
      failing.set(name, code);
      if (before !== code) logger.warn(`not ready: ${name}`, { code, error });
    }
  }
  async function lookAtAll(): Promise<boolean> {
    await Promise.all(checks.map(lookAt));
    tell(failing.size === 0);
    return failing.size === 0;
  }
  function look(): Promise<boolean> {
    looking ??= lookAtAll().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  await look();
  const timer = setInterval(() => void look(), intervalMs);
  timer.unref();
  return {
    get isReady() {
      return failing.size === 0;
    },
    look,
    attach(health, services) {
      let told: boolean | undefined;
      tell = (isReady) => {
        if (isReady === told) return;
        told = isReady;
        for (const name of ["", ...services]) health.setServing(name, isReady);
      };
      tell(failing.size === 0);
    },
    close() {
      clearInterval(timer);
      tell = () => {};
    },
  };
}

/** The check, or the end of its time: one that ignores its signal must not keep the others from being heard. */
async function bounded(check: ReadinessCheck["check"], timeoutMs: number): Promise<void> {
  const controller = new AbortController();
  const late = new DomainError("DEADLINE_EXCEEDED", `no answer within ${timeoutMs} ms`);
  const expired = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    controller.abort(late);
    expired.reject(late);
  }, timeoutMs);
  try {
    await Promise.race([check(controller.signal), expired.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A check of a store: whatever it says of `key`, even that nothing is there, it has answered. */
export async function assertStoreAnswers(
  store: Pick<ObjectStore, "head">,
  key: string,
  signal: AbortSignal,
): Promise<void> {
  await store.head(key, { signal }).catch((error: unknown) => {
    if (!isDomainError(error, "NOT_FOUND")) throw error;
  });
}
