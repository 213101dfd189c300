/** @file The thread that compares: minutes of arithmetic must not stop the gateway's calls. */
import { parentPort, workerData } from "node:worker_threads";
import { isDomainError } from "@parfocal/errors";
import type { ComparisonAnswer, ComparisonTask } from "./compare-apart.ts";
import { compareEvaluations } from "./compare-evaluations.ts";

function answer({ task, cases }: ComparisonTask): ComparisonAnswer {
  try {
    return { kind: "rows", rows: compareEvaluations(task, cases) };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    const { code, message, details } = error;
    return { kind: "failure", code, message, details };
  }
}

parentPort?.postMessage(answer(workerData as ComparisonTask));
