import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { abortErrorFromSignal, DomainError, type DomainErrorCode } from "@parfocal/errors";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import type { ComparedCase } from "./compared-cases.ts";

/** What the thread is given. */
export interface ComparisonTask {
  readonly task: commonV1.Task;
  readonly cases: readonly ComparedCase[];
}

/** What it answers. */
export type ComparisonAnswer =
  | { readonly kind: "rows"; readonly rows: gatewayV1.ModelComparison[] }
  | {
      readonly kind: "failure";
      readonly code: DomainErrorCode;
      readonly message: string;
      readonly details: DomainError["details"];
    };

/**
 * `compareEvaluations` in a thread of its own, which an abort ends: resampling many models takes minutes, in which the gateway must go
 * on answering.
 *
 * @throws {DomainError} `CANCELLED` or `DEADLINE_EXCEEDED` by the signal; as `compareEvaluations`.
 */
export async function compareApart(
  task: commonV1.Task,
  cases: readonly ComparedCase[],
  signal: AbortSignal,
): Promise<gatewayV1.ModelComparison[]> {
  const workerData: ComparisonTask = { task, cases };
  const worker = new Worker(new URL("./compare-worker.ts", import.meta.url), { workerData });
  try {
    const [answer] = (await once(worker, "message", { signal })) as [ComparisonAnswer];
    if (answer.kind === "rows") return answer.rows;
    throw new DomainError(answer.code, answer.message, { details: answer.details });
  } catch (error) {
    throw signal.aborted ? abortErrorFromSignal(signal) : error;
  } finally {
    await worker.terminate();
  }
}
