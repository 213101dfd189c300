import { DomainError } from "@parfocal/errors";
import {
  assertNoLeakage,
  repeatedFolds,
  type Split,
  type SplitOptions,
  siteFolds,
  testedFolds,
} from "@parfocal/metrics";
import { type aggregateV1, commonV1 } from "@parfocal/protocol";

/** Which part each bag has in one fold, in the order of the bags. */
export interface DrawnFold {
  /** From 1. */
  readonly repeat: number;
  /** From 1. */
  readonly fold: number;
  /** A letter per bag: `t` trains, `v` validates, `e` tests. */
  readonly parts: string;
}

/** What folds are drawn of. */
export interface FoldOptions {
  readonly bags: readonly aggregateV1.LabelledBag[];
  readonly task: Pick<commonV1.Task, "kind">;
  readonly nFolds: number;
  readonly nRepeats: number;
  /** Fold that tests each bag, from 1; empty: drawn. */
  readonly fixedFolds: readonly number[];
  /** Site of each bag; empty: sites do not matter. */
  readonly sites: readonly string[];
  /** Share of a fold's training patients that validates, in [0, 1). */
  readonly validationFraction: number;
  /** Unsigned 64-bit. */
  readonly seed: bigint;
}

/** What was drawn. */
export interface DrawnFolds {
  /** Repeat by repeat. */
  readonly folds: readonly DrawnFold[];
  /** Of folds that keep sites whole, as `SiteFolds` says; absent of others, which can be balanced. */
  readonly imbalance?: number;
}

/** What bags are spread by, `[N]`. */
type Strata = SplitOptions["labels"];

const LETTERS = { train: "t", validation: "v", test: "e" } as const;

/** Strata of a regression, by rank of the first number. */
const N_BINS = 4;

/**
 * The folds of every repeat: by patient, stratified by label (the class; each of several labels; whether the event came; quarters of
 * the first number). Every bag is tested once in each repeat. With sites, whole sites test. Who of the others validates is drawn by
 * patient. The order of the bags does not matter.
 *
 * @throws {DomainError} as `repeatedFolds` and `siteFolds`; `LABEL_LEAKAGE` when fixed folds divide a patient.
 */
export function drawFolds(options: FoldOptions): DrawnFolds {
  const { nFolds, nRepeats, fixedFolds, sites, validationFraction, seed } = options;
  const patients = patientsOf(options.bags);
  const labels = strataOf(options);
  const lettered = (repeats: readonly (readonly Split[])[]) => letteredFolds(repeats, patients);
  if (fixedFolds.length > 0) return { folds: lettered([fixedSplits(options, patients, labels)]) };
  const given = { patients, labels, nFolds, validationFraction, seed };
  if (sites.length === 0) return { folds: lettered(repeatedFolds({ ...given, nRepeats })) };
  const { splits, imbalance } = siteFolds({ ...given, sites });
  return { folds: lettered([splits]), imbalance };
}

/** @throws {DomainError} `LABEL_LEAKAGE` when a patient is in two parts of a fold. */
function letteredFolds(repeats: readonly (readonly Split[])[], patients: readonly string[]): DrawnFold[] {
  return repeats.flatMap((splits, repeat) =>
    splits.map((split, fold) => {
      assertNoLeakage(patients, split);
      return { repeat: repeat + 1, fold: fold + 1, parts: lettersOf(split, patients.length) };
    }),
  );
}

/** The test part is given; who of the others validates is drawn. */
function fixedSplits(
  { fixedFolds, nFolds, validationFraction, seed }: FoldOptions,
  patients: readonly string[],
  labels: Strata,
): Split[] {
  const tested = new Set(fixedFolds);
  for (let fold = 1; fold <= nFolds; fold += 1)
    if (!tested.has(fold))
      throw new DomainError("PRECONDITION_FAILED", `fold ${fold} tests 0 bags; it needs at least 1`);
  const testedBy = fixedFolds.map((fold) => fold - 1);
  return testedFolds({ patients, labels, testedBy, nFolds, validationFraction, seed });
}

function lettersOf(split: Split, nBags: number): string {
  const letters = new Array<string>(nBags).fill(LETTERS.train);
  for (const part of ["validation", "test"] as const) for (const row of split[part]) letters[row] = LETTERS[part];
  return letters.join("");
}

/** The part of the contract that a letter of {@link DrawnFold.parts} stands for. */
export function partOfLetter(letter: string | undefined): commonV1.Part {
  const { PART_TRAIN, PART_VALIDATION, PART_TEST } = commonV1.Part;
  if (letter === LETTERS.test) return PART_TEST;
  return letter === LETTERS.validation ? PART_VALIDATION : PART_TRAIN;
}

/**
 * Bags of a group without a patient are one patient; others without are patients of their own, as the stage sees them, told by what
 * they hold, which their place in the request does not change.
 */
function patientsOf(bags: readonly aggregateV1.LabelledBag[]): string[] {
  return bags.map(({ patientKey, groupKey, bag }, index) => {
    if (patientKey !== "") return patientKey;
    return groupKey === "" ? `\u0000${bag?.object?.sha256 || index}` : `\u0000group ${groupKey}`;
  });
}

function strataOf({ bags, task }: FoldOptions): Strata {
  const { KIND_REGRESSION, KIND_SURVIVAL, KIND_COX, KIND_MULTILABEL } = commonV1.Task_Kind;
  if (task.kind === KIND_SURVIVAL || task.kind === KIND_COX) return bags.map(({ survival }) => Number(survival?.event));
  if (task.kind === KIND_REGRESSION) return binsOf(bags.map(({ values }) => Object.values(values)[0] ?? 0));
  const classes = classesOf(bags);
  if (task.kind === KIND_MULTILABEL) return bags.map((bag) => vectorOf(bag, classes));
  return bags.map(({ labels }) => classes.indexOf(labels[0] ?? ""));
}

/** Every class that a bag names, in the order of their names: by first appearance, folds would depend on the order of the bags. */
function classesOf(bags: readonly aggregateV1.LabelledBag[]): string[] {
  return [...new Set(bags.flatMap(({ labels, unknownLabels }) => [...labels, ...unknownLabels]))].sort();
}

/** 1, 0 or null (not known) per class. */
function vectorOf({ labels, unknownLabels }: aggregateV1.LabelledBag, classes: readonly string[]): (number | null)[] {
  return classes.map((name) => (unknownLabels.includes(name) ? null : Number(labels.includes(name))));
}

function binsOf(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return values.map((value) => Math.floor((N_BINS * sorted.indexOf(value)) / Math.max(1, sorted.length)));
}
