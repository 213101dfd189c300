import { DomainError } from "@parfocal/errors";
import type { Task } from "@parfocal/models";
import { eventOf, type Label } from "./label.ts";
import { binOfTime } from "./survival-target.ts";

/** Whether every label of a task belongs to one class that bags can be drawn by. */
export function hasSamplingClasses({ kind }: Pick<Task, "kind">): boolean {
  return kind === "binary" || kind === "multiclass" || kind === "ordinal" || kind === "survival";
}

/**
 * By what balanced sampling tells bags apart: their class; in survival the interval of time, events and censored patients apart.
 *
 * @param task Of survival with its intervals fitted.
 * @throws {DomainError} `INTERNAL` for a label that has no class.
 */
export function samplingClass(task: Task, label: Label | undefined): string {
  const event = eventOf(label);
  if (task.kind === "survival" && event !== null) return `${binOfTime(task, event.time)} ${event.isEvent}`;
  if (typeof label === "number") return `${label}`;
  throw new DomainError("INTERNAL", `a bag of a ${task.kind} task has no class to be drawn by`);
}
