import type { RunResult, TensorSink } from "@parfocal/engine";
import { DomainError } from "@parfocal/errors";
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

/**
 * A bag's score from the outputs of {@link scoreFetches}; `index`: the bag's place among those of a job, which an error names.
 *
 * @throws {DomainError} `NON_FINITE` unless all of it is finite.
 */
export function scoreFrom(task: Task, outputs: RunResult["outputs"], index?: number): BagScore {
  const numbers = (name: string) => Array.from(floatsFromHostTensor(outputs[name], name));
  const score = { logits: numbers("logits"), answer: numbers(answerName(task)) };
  for (const values of [score.logits, score.answer]) assertFiniteOutput("logits are", values, index);
  return score;
}

/**
 * Checks what a model says of one bag. `what`: its name and verb, for the message.
 *
 * @throws {DomainError} `NON_FINITE` when a value is not finite: no weight of a model that was published or trained is, so it is the bag.
 */
export function assertFiniteOutput(
  what: "logits are" | "attention is",
  values: readonly number[] | Float32Array,
  index?: number,
): void {
  if (values.every((value) => Number.isFinite(value))) return;
  const message = `the model's ${what} NaN or infinite: the bag's features are out of range`;
  if (index === undefined) throw new DomainError("NON_FINITE", message);
  throw new DomainError("NON_FINITE", `bag ${index}: ${message}`, { details: { field: `bags[${index}]` } });
}
