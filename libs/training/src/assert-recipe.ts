import { DomainError } from "@parfocal/errors";
import { hasClasses, type Task } from "@parfocal/models";
import { hasSamplingClasses } from "./sampling-class.ts";
import { scoreName } from "./score.ts";
import type { TrainSpec } from "./train-spec.ts";

/**
 * Checks that a recipe makes sense for a task.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming field and task: smoothing and class weights without classes, balanced sampling where a label is
 * no one class, AUROC where another figure judges, Cox with updates of one patient, pooled groups with a head that sorts the tiles of each bag by its label.
 */
export function assertRecipeFits(spec: TrainSpec, task: Task): void {
  const { kind } = task;
  if (!hasClasses(task) && spec.labelSmoothing > 0) throw unfit("labelSmoothing", spec.labelSmoothing, kind, "0");
  if (!hasClasses(task) && spec.classWeights !== "none") throw unfit("classWeights", spec.classWeights, kind, "none");
  if (!hasSamplingClasses(task) && spec.sampling !== "shuffle") throw unfit("sampling", spec.sampling, kind, "shuffle");
  const figure = scoreName(task);
  if (spec.selectionMetric === "auroc" && figure !== "auroc")
    throw unfit("selectionMetric", spec.selectionMetric, kind, `task (${figure}) or loss`);
  if (kind === "cox" && spec.batchSize < 2) throw unfit("batchSize", spec.batchSize, kind, "2 or more patients");
  const rule = spec.groups?.kind;
  if ((rule !== "mean" && rule !== "max") || headOf(spec) !== "clam") return;
  const message = `groups.kind is ${rule}; the head clam sorts the tiles of each bag by its label, so it takes none, min-loss or joined`;
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "groups.kind" } });
}

function headOf({ model: { head } }: TrainSpec): unknown {
  return typeof head === "object" && head !== null && "kind" in head ? head.kind : undefined;
}

function unfit(field: string, value: string | number, kind: Task["kind"], wanted: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", `${field} is ${value}; a ${kind} task takes ${wanted}`, {
    details: { field },
  });
}
