import type { RunResult, TensorSink } from "@parfocal/engine";
import { answerName, type Task } from "@parfocal/models";
import { floatsFromHostTensor } from "./host-tensor.ts";

/** What a bag's score is made of. */
export interface BagScore {
  /** `[K]`. */
  readonly logits: readonly number[];
  /** Probabilities `[C]`, values, survival or risk: see `answerName`. */
  readonly answer: readonly number[];
}

/** The outputs of a serving graph that say what the model thinks. */
export function scoreFetches(task: Task): Readonly<Record<string, TensorSink>> {
  return { logits: { kind: "inline" }, [answerName(task)]: { kind: "inline" } };
}

/** A bag's score from the outputs of {@link scoreFetches}. */
export function scoreFrom(task: Task, outputs: RunResult["outputs"]): BagScore {
  const numbers = (name: string) => Array.from(floatsFromHostTensor(outputs[name], name));
  return { logits: numbers("logits"), answer: numbers(answerName(task)) };
}
