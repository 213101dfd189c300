import { DomainError } from "@parfocal/errors";
import { assertNoLeakage, repeatedFolds, type Split, siteFolds, splitPatients } from "@parfocal/metrics";
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

const LETTERS = { train: "t", validation: "v", test: "e" } as const;

/** Strata of a regression, by rank of the first number. */
const N_BINS = 4;

/**
 * The folds of every repeat: by patient, stratified by label (classes; whether the event came; quarters of the first number). Every
 * bag is tested once in each repeat. With sites, whole sites test, and if anything validates it is the next fold.
 *
 * @throws {DomainError} as `repeatedFolds` and `siteFolds`; `LABEL_LEAKAGE` when fixed folds divide a patient.
 */
export function drawFolds(options: FoldOptions): DrawnFold[] {
  const { bags, nFolds, nRepeats, fixedFolds, sites, validationFraction, seed } = options;
  const patients = patientsOf(bags);
  const labels = strataOf(options);
  const draw = (): readonly (readonly Split[])[] => {
    if (fixedFolds.length > 0) return [fixedSplits(options, patients, labels)];
    if (sites.length === 0) return repeatedFolds({ patients, labels, nFolds, nRepeats, validationFraction, seed });
    return [siteFolds({ patients, labels, sites, nFolds, isValidated: validationFraction > 0, seed }).splits];
  };
  return draw().flatMap((splits, repeat) =>
    splits.map((split, fold) => {
      assertNoLeakage(patients, split);
      return { repeat: repeat + 1, fold: fold + 1, parts: lettersOf(split, bags.length) };
    }),
  );
}

/** The test part is given; who of the others validates is drawn. */
function fixedSplits(
  { fixedFolds, nFolds, validationFraction, seed }: FoldOptions,
  patients: readonly string[],
  labels: readonly number[],
): Split[] {
  return Array.from({ length: nFolds }, (_, at) => {
    const isTest = (row: number) => fixedFolds[row] === at + 1;
    const rows = [...patients.keys()];
    const [test, rest] = [rows.filter(isTest), rows.filter((row) => !isTest(row))];
    if (test.length === 0)
      throw new DomainError("PRECONDITION_FAILED", `fold ${at + 1} tests 0 bags; it needs at least 1`);
    const [inner] = splitPatients({
      patients: rest.map((row) => patients[row]!),
      labels: rest.map((row) => labels[row]!),
      plan: { kind: "holdout", fractions: { train: 1 - validationFraction, validation: validationFraction, test: 0 } },
      seed: BigInt.asUintN(64, seed + BigInt(at)),
    });
    const outer = (part: readonly number[] = []) => part.map((row) => rest[row]!);
    return { train: outer(inner?.train), validation: outer(inner?.validation), test };
  });
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

/** Bags of a group without a patient are one patient; others without are patients of their own, as the stage sees them. */
function patientsOf(bags: readonly aggregateV1.LabelledBag[]): string[] {
  return bags.map(({ patientKey, groupKey }, index) => {
    if (patientKey !== "") return patientKey;
    return groupKey === "" ? `\u0000${index}` : `\u0000group ${groupKey}`;
  });
}

/** A number per bag that is the same for bags to be spread evenly. */
function strataOf({ bags, task }: FoldOptions): number[] {
  const { KIND_REGRESSION, KIND_SURVIVAL, KIND_COX } = commonV1.Task_Kind;
  if (task.kind === KIND_SURVIVAL || task.kind === KIND_COX) return bags.map(({ survival }) => Number(survival?.event));
  if (task.kind === KIND_REGRESSION) return binsOf(bags.map(({ values }) => Object.values(values)[0] ?? 0));
  const known = new Map<string, number>();
  return bags.map(({ labels, unknownLabels }) => {
    const key = JSON.stringify([labels.toSorted(), unknownLabels.toSorted()]);
    const stratum = known.get(key) ?? known.size;
    known.set(key, stratum);
    return stratum;
  });
}

function binsOf(values: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return values.map((value) => Math.floor((N_BINS * sorted.indexOf(value)) / Math.max(1, sorted.length)));
}
