import { DomainError } from "@parfocal/errors";
import { createConfigReader } from "./config-reader.ts";

/** Kinds of tasks. `embedding`: the model decides nothing, it gives re-embedded tiles. */
export const TASK_KINDS = ["binary", "multiclass", "multilabel", "embedding"] as const;

/** How logits become probabilities. */
export type Link = "softmax" | "sigmoid";

/** What a model decides. K classes. */
export interface Task {
  readonly kind: (typeof TASK_KINDS)[number];
  /** Names of the classes, in the order of the probabilities; of a binary task `[negative, positive]`, of `embedding` none. */
  readonly classes: readonly string[];
  /**
   * `softmax`: K logits that compete. `sigmoid`: independent logits, K of them in a multi-label task and a single one
   * (of the positive class) in a binary task.
   */
  readonly link: Link;
}

/** Fewest and most classes. */
const CLASS_COUNTS: Readonly<Record<Task["kind"], readonly [number, number]>> = {
  binary: [2, 2],
  multiclass: [2, 1000],
  multilabel: [1, 1000],
  embedding: [0, 0],
};

/**
 * Reads a task: `kind`, `classes` and, in binary tasks, `link` (default `softmax`).
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming the field: 2 classes in binary, 2 to 1000 in multi-class, 1 to 1000 in
 * multi-label tasks, none in `embedding`; the link of multi-class tasks is softmax and of multi-label tasks sigmoid.
 */
export function parseTask(json: unknown, where = "task"): Task {
  const reader = createConfigReader(json, where);
  const kind = reader.choice("kind", TASK_KINDS);
  const [minItems, maxItems] = CLASS_COUNTS[kind];
  const classes = reader.names("classes", { minItems, maxItems });
  const usual = kind === "multilabel" ? "sigmoid" : "softmax";
  const link = reader.choice("link", ["softmax", "sigmoid"], usual);
  reader.assertNoOthers();
  if (kind !== "binary" && link !== usual) {
    throw new DomainError("INVALID_ARGUMENT", `${where}.link is ${link}; a ${kind} task has ${usual}`);
  }
  return { kind, classes, link };
}

/** Number of logits a head gives for the task. */
export function countLogits(task: Task): number {
  return task.kind === "binary" && task.link === "sigmoid" ? 1 : task.classes.length;
}

/**
 * Probabilities `[K]` of the classes from the logits of one bag, in f64. Softmax is shifted by its maximum.
 */
export function probabilitiesFromLogits(task: Task, logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  if (task.link === "softmax") {
    const max = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - max));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  }
  const sigmoids = values.map((value) => 1 / (1 + Math.exp(-value)));
  const [positive] = sigmoids;
  return task.kind === "binary" && positive !== undefined ? [1 - positive, positive] : sigmoids;
}
