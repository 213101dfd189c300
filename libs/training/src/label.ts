/**
 * What is known of a bag. Legend: C classes, T numbers.
 */
import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";

/**
 * The index of the bag's class; in multi-label tasks one entry per class, 1, 0 or null (unknown); in regressions one number or null per
 * name; in survival and Cox when the event came.
 */
export type Label = number | readonly (number | null)[] | EventTime;

/** When an event came, or until when it had not. */
export interface EventTime {
  /** 0 or more. */
  readonly time: number;
  /** Whether the event came then; else the patient was censored. */
  readonly isEvent: boolean;
}

/** The label as a list with an entry per class or number; null for labels of other tasks. */
export function listOf(label: Label | null | undefined): readonly (number | null)[] | null {
  return typeof label === "object" && label !== null && !("time" in label) ? label : null;
}

/** The label as the time of an event; null for labels of other tasks. */
export function eventOf(label: Label | null | undefined): EventTime | null {
  return typeof label === "object" && label !== null && "time" in label ? label : null;
}

/** By what a label's bags are spread evenly over the parts: their classes, whether the event came, nothing for numbers. */
export function stratumOf(label: Label, task: Task): number | readonly (number | null)[] {
  const event = eventOf(label);
  if (event !== null) return Number(event.isEvent);
  return task.kind === "regression" ? 0 : (listOf(label) ?? Number(label));
}

/**
 * Checks that a label is one of the task's.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a class index outside [0, C), a list of another length than the task's names, entries
 * that are neither 0 nor 1 nor null (regression: not finite), a list without any known entry, and a time that is negative or not finite.
 */
export function assertLabel(task: Task, label: Label): void {
  switch (task.kind) {
    case "multilabel":
    case "regression":
      assertList(task, label);
      return;
    case "survival":
    case "cox":
      assertEvent(task, label);
      return;
    default:
      assertClass(task, label);
  }
}

function assertClass({ kind, classes }: Task, label: Label): void {
  if (typeof label !== "number") throw unfit(kind, "a class index");
  if (Number.isInteger(label) && label >= 0 && label < classes.length) return;
  const message = `class index is ${label}; it must be a whole number below ${classes.length}`;
  throw new DomainError("INVALID_ARGUMENT", message);
}

function assertList({ kind, classes }: Task, label: Label): void {
  const entries = listOf(label);
  if (entries === null) throw unfit(kind, kind === "multilabel" ? "a list of labels" : "a list of numbers");
  const [one, many] = kind === "multilabel" ? ["label", "classes"] : ["number", "numbers"];
  if (entries.length !== classes.length) {
    const message = `a bag has ${entries.length} ${one}s; the task has ${classes.length} ${many}`;
    throw new DomainError("INVALID_ARGUMENT", message);
  }
  const isGood = (value: number) => (kind === "multilabel" ? value === 0 || value === 1 : Number.isFinite(value));
  const bad = entries.find((value) => value !== null && !isGood(value));
  if (bad !== undefined) {
    const wanted = kind === "multilabel" ? "0, 1 or null" : "finite or null";
    throw new DomainError("INVALID_ARGUMENT", `a ${one} is ${bad}; it must be ${wanted}`);
  }
  if (entries.some((value) => value !== null)) return;
  throw new DomainError("INVALID_ARGUMENT", `a bag has no known ${one}; give at least one or leave the bag out`);
}

function assertEvent({ kind }: Task, label: Label): void {
  const event = eventOf(label);
  if (event === null) throw unfit(kind, "the time of an event or of censoring");
  if (Number.isFinite(event.time) && event.time >= 0) return;
  throw new DomainError("INVALID_ARGUMENT", `the time of a bag is ${event.time}; it must be 0 or more`);
}

function unfit(kind: Task["kind"], wanted: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `a ${kind} task needs ${wanted} for every bag`);
}
