import { DomainError } from "@parfocal/errors";
import { assertDistinctContent, assertNoLeakage, type Split, splitPatients } from "@parfocal/metrics";
import { parseTask, type Task } from "@parfocal/models";
import type { LabelledBag, Part } from "./job.ts";
import { stratumOf } from "./label.ts";
import type { TrainSpec } from "./train-spec.ts";

/**
 * The part of every bag, as row indices: as given when the bags carry parts, else by patient, stratified by label.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` when only some bags carry a part; `LABEL_LEAKAGE` when a patient, or a bag by
 * its content, is in two parts, or a bag under two patients; `PRECONDITION_FAILED` when no bag trains or a part that should hold patients stays empty.
 */
export function assignParts(bags: readonly LabelledBag[], spec: TrainSpec, task = parseTask(spec.model.task)): Split {
  const patients = patientsOf(bags);
  const nFixed = bags.filter((bag) => bag.part !== undefined).length;
  if (nFixed > 0 && nFixed < bags.length) {
    throw new DomainError("INVALID_ARGUMENT", `${nFixed} of ${bags.length} bags carry a part; either all do or none`);
  }
  const split = nFixed > 0 ? explicitSplit(bags) : drawnSplit(bags, patients, spec, task);
  assertNoLeakage(patients, split);
  const contents = bags.map(({ bag }) => bag.digest);
  assertDistinctContent(patients, contents, split);
  if (split.train.length > 0) return split;
  throw new DomainError(
    "PRECONDITION_FAILED",
    `none of ${bags.length} bags is in the training part; at least 1 must be`,
  );
}

/**
 * The patient of every bag, under names no caller can give where it has none: bags of a group without a patient are one
 * patient, others are patients of their own.
 */
export function patientsOf(bags: readonly Pick<LabelledBag, "patient" | "group">[]): string[] {
  return bags.map(({ patient = "", group = "" }, i) => {
    if (patient !== "") return patient;
    return group === "" ? `\u0000${i}` : `\u0000group ${group}`;
  });
}

function explicitSplit(bags: readonly LabelledBag[]): Split {
  const rows = (part: Part): number[] => bags.flatMap((bag, row) => (bag.part === part ? [row] : []));
  return { train: rows("train"), validation: rows("validation"), test: rows("test") };
}

function drawnSplit(bags: readonly LabelledBag[], patients: readonly string[], spec: TrainSpec, task: Task): Split {
  const { validationFraction: validation, testFraction: test } = spec.split;
  const fractions = { train: 1 - validation - test, validation, test };
  const labels = bags.map(({ label }) => stratumOf(label, task));
  const [split] = splitPatients({ patients, labels, plan: { kind: "holdout", fractions }, seed: spec.seed });
  if (split === undefined) throw new DomainError("INTERNAL", "the split gave no part");
  return split;
}
