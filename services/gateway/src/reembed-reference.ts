import { setTimeout as sleep } from "node:timers/promises";
import { assertNotAborted, DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import type { commonV1, reembedV1 } from "@parfocal/protocol";
import { type HandlerContext, retryDelayMs } from "@parfocal/runtime";
import type { GatewayDeps } from "./deps.ts";

/** What the stage that aggregates says of a re-embedded bag that is damaged or gone. */
const OF_KEPT_BAGS: ReadonlySet<string> = new Set<DomainErrorCode>([
  "CORRUPT",
  "TRUNCATED",
  "UNSUPPORTED_FORMAT",
  "NOT_FOUND",
]);

/** Whether a failure of the stage that aggregates says that what is kept of a re-embedding should be looked at: `verify` of the contract. */
export function isOfKeptBag(code: string): boolean {
  return OF_KEPT_BAGS.has(code);
}

/** Failures that another try may not have, and how many tries there are in all. Of a crash the bag itself may be the cause. */
const TRIES: Readonly<Partial<Record<DomainErrorCode, number>>> = { UNREACHABLE: 4, STATE_LOST: 4, ENGINE_CRASHED: 2 };

/**
 * The re-embedded bag of a stored one. A stage or an engine that goes away meanwhile is asked again, or another replica, as long as
 * the call has time: what was made is kept, so that asking twice does no more than asking once.
 *
 * @throws {DomainError} What the stage throws; `UNREACHABLE` also when it gives no bag.
 */
export async function reembedReference(
  stage: GatewayDeps["reembed"],
  request: reembedV1.ReembedRequest,
  context: HandlerContext,
): Promise<commonV1.BagReference> {
  const steps = reembedSteps(stage, request, context);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return step.value;
  }
}

/** {@link reembedReference} with its progress, which only grows: tiles that are read anew after a failure are not told again. */
export async function* reembedSteps(
  stage: GatewayDeps["reembed"],
  request: reembedV1.ReembedRequest,
  context: HandlerContext,
): AsyncGenerator<reembedV1.ReembedProgress, commonV1.BagReference, undefined> {
  const nFailures = new Map<DomainErrorCode, number>();
  const shown = { doneTiles: 0n };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return yield* askOnce(stage, request, context, shown);
    } catch (error) {
      assertNotAborted(context.signal);
      if (!isDomainError(error)) throw error;
      const nSame = (nFailures.get(error.code) ?? 0) + 1;
      nFailures.set(error.code, nSame);
      const pauseMs = retryDelayMs(error, attempt);
      const isOver = Date.now() + pauseMs >= (context.deadlineMs ?? Number.POSITIVE_INFINITY);
      if (isOver || nSame >= (TRIES[error.code] ?? 1)) throw error;
      await sleep(pauseMs, undefined, { signal: context.signal }).catch(() => assertNotAborted(context.signal));
    }
  }
}

async function* askOnce(
  stage: GatewayDeps["reembed"],
  request: reembedV1.ReembedRequest,
  context: HandlerContext,
  shown: { doneTiles: bigint },
): AsyncGenerator<reembedV1.ReembedProgress, commonV1.BagReference, undefined> {
  for await (const { event } of stage.reembed(request, { parent: context })) {
    if (event?.$case === "bag") return event.value;
    if (event === undefined || event.value.doneTiles <= shown.doneTiles) continue;
    shown.doneTiles = event.value.doneTiles;
    yield event.value;
  }
  throw new DomainError("UNREACHABLE", "the re-embedding stage ended before it gave the bag");
}
