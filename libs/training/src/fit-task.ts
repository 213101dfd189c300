import { DomainError } from "@parfocal/errors";
import { quantileSorted } from "@parfocal/metrics";
import type { RegressionTask, SurvivalTask, Task } from "@parfocal/models";
import { eventOf, type Label, listOf } from "./label.ts";

/**
 * A task with what labels of the training part say of it: centre and scale of a regression's numbers, ends of the intervals of
 * survival. What the task has already stays.
 *
 * @param labels of the training part, one per patient or group of slides.
 * @throws {DomainError} `PRECONDITION_FAILED` when they say nothing: all of one class, a number that no label knows, no event, no time
 * above 0.
 */
export function fitTask(task: Task, labels: readonly Label[]): Task {
  switch (task.kind) {
    case "regression":
      return fitNumbers(task, labels);
    case "survival":
      return fitEdges(task, labels);
    case "cox":
      assertEvents(labels);
      return task;
    default:
      assertClassesDiffer(task, labels);
      return task;
  }
}

/** Whoever learns from one class alone says it of everything; among labels of several classes one that tells patients apart is enough. */
function assertClassesDiffer({ kind, classes }: Task, labels: readonly Label[]): void {
  if (kind === "multilabel") {
    if (classes.some((_, c) => new Set(labels.flatMap((label) => listOf(label)?.[c] ?? [])).size > 1)) return;
    const message = `no class is known to hold for one patient of the training part and not for another, of ${labels.length}`;
    throw new DomainError("PRECONDITION_FAILED", message);
  }
  const [first, ...others] = new Set(labels);
  if (others.length > 0) return;
  const name = JSON.stringify(classes[Number(first)]);
  const message = `all ${labels.length} patients of the training part are of the class ${name}; training needs patients of 2 classes`;
  throw new DomainError("PRECONDITION_FAILED", message);
}

/** Mean and standard deviation of each number, as of a population; a number that never varies gets the scale 1. */
function fitNumbers(task: RegressionTask, labels: readonly Label[]): RegressionTask {
  const columns = task.classes.map((name, t) => {
    const known = labels.flatMap((label) => listOf(label)?.[t] ?? []);
    if (known.length > 0) return known;
    throw new DomainError("PRECONDITION_FAILED", `0 bags of the training part know the number ${JSON.stringify(name)}`);
  });
  const center = columns.map(mean);
  const scale = columns.map(
    (values, t) => Math.sqrt(mean(values.map((value) => (value - (center[t] ?? 0)) ** 2))) || 1,
  );
  return {
    ...task,
    center: task.center.length > 0 ? task.center : center,
    scale: task.scale.length > 0 ? task.scale : scale,
  };
}

/**
 * Ends of `bins` intervals: 0, quantiles of the times of events (type 7), and the latest time of all. Quantiles that are equal are one
 * end, so there may be fewer intervals.
 *
 * Source: the public slide-level survival programs. Differs: they cut the whole table, and their outermost ends are the extreme times.
 */
function fitEdges(task: SurvivalTask, labels: readonly Label[]): SurvivalTask {
  if (task.edges.length > 0) return task;
  assertEvents(labels);
  const times = labels.flatMap((label) => eventOf(label) ?? []);
  const events = Float64Array.from(times.filter(({ isEvent }) => isEvent).map(({ time }) => time)).sort();
  const inner = Array.from({ length: task.bins - 1 }, (_, b) => quantileSorted(events, (b + 1) / task.bins));
  const latest = Math.max(...times.map(({ time }) => time));
  const edges = [...new Set([0, ...inner.filter((edge) => edge < latest), latest])];
  if (latest > 0) return { ...task, edges };
  throw new DomainError("PRECONDITION_FAILED", "the latest time of the training part is 0; survival needs one above 0");
}

function assertEvents(labels: readonly Label[]): void {
  if (labels.some((label) => eventOf(label)?.isEvent)) return;
  const message = `0 of ${labels.length} patients of the training part have an event; survival needs at least 1`;
  throw new DomainError("PRECONDITION_FAILED", message);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
