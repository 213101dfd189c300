/**
 * Iterative stratification: patients who have several labels each come into bins so that every bin has its share of the
 * positives of every label. The label with the fewest patients left goes first, as it is the hardest to spread; each of its
 * patients goes to the bin that wants the label most.
 *
 * Source: Sechidis, Tsoumakas & Vlahavas 2011, "On the stratification of multi-label data" (ECML PKDD, algorithm 1). Differs:
 * bins that want the label equally, as they mostly do, are told apart by how much they want the patient's other labels before
 * the number of patients that they want. Else nothing but chance spreads the labels that come last, and the commonest, of
 * which few patients are then left, end hardly better than at random.
 */
import type { Rng } from "./rng.ts";
import type { RowLabel } from "./split.ts";
import { apportion } from "./splits-apportion.ts";
import type { Divider } from "./splits-divider.ts";

/** Labels that hold, by patient: the union of those of the patient's rows. */
type Positives = ReadonlyMap<string, readonly number[]>;

/** How many of `n` patients each bin wants, `[P]`, summing to `n`. */
type ShareOut = (n: number) => number[];

/** Wants that differ by less are equal: their difference is rounding. */
const TIE = 1e-9;

/** Whether rows have a list of labels each: then patients are divided by labels, not by strata. */
export function isMultilabel(labels: readonly RowLabel[]): boolean {
  return labels.some((label) => typeof label === "object" && label !== null);
}

/** Divides patients by the labels known to hold; labels that are not known count for nothing. For multi-label tasks. */
export function createLabelDivider(patients: readonly string[], labels: readonly RowLabel[]): Divider {
  const positives = positivesOf(patients, labels);
  return {
    patients: [...positives.keys()],
    byShares: (members, shares, rng) => {
      const own = new Map([...positives].filter(([patient]) => members.has(patient)));
      // Whole numbers, and sizes that are kept: by fractions alone the largest part would get every rare label.
      const shareOut = (n: number) => apportion(n, shares, new Array<number>(shares.length).fill(0));
      return divide(own, new Bins(own, shareOut, true, rng), rng);
    },
    evenly: (nBins, rng) => {
      const shareOut = (n: number) => new Array<number>(nBins).fill(n / nBins);
      return divide(positives, new Bins(positives, shareOut, false, rng), rng);
    },
  };
}

/** The labels known to hold for each patient, ascending; patients in the order of their keys. */
export function positivesOf(patients: readonly string[], labels: readonly RowLabel[]): Positives {
  const found = new Map([...new Set(patients)].sort().map((patient) => [patient, new Set<number>()]));
  patients.forEach((patient, row) => {
    for (const label of labelsThatHold(labels[row] ?? null)) found.get(patient)?.add(label);
  });
  return new Map([...found].map(([patient, held]) => [patient, [...held].sort((a, b) => a - b)]));
}

function labelsThatHold(label: RowLabel): number[] {
  if (label === null) return [];
  if (typeof label === "number") return [label];
  return label.flatMap((value, index) => (value === 1 ? [index] : []));
}

function divide(positives: Positives, bins: Bins, rng: Rng): Map<string, number> {
  const binOf = new Map<string, number>();
  const order = rng.shuffle([...positives.keys()]);
  const put = (patient: string, rarest: number | null): void => {
    if (binOf.has(patient)) return;
    binOf.set(patient, bins.put(positives.get(patient) ?? [], rarest));
  };
  const members = membersOf(order, positives);
  for (let label = bins.rarest(); label !== null; label = bins.rarest()) {
    for (const patient of members.get(label) ?? []) put(patient, label);
  }
  for (const patient of order) put(patient, null);
  return binOf;
}

/** Patients of each label, in the order given. */
function membersOf(order: readonly string[], positives: Positives): Map<number, string[]> {
  const members = new Map<number, string[]>();
  for (const patient of order) {
    for (const label of positives.get(patient) ?? []) {
      const own = members.get(label) ?? [];
      own.push(patient);
      members.set(label, own);
    }
  }
  return members;
}

/** What bins still want. */
class Bins {
  /** By label, ascending: patients not yet placed. */
  readonly #left: Map<number, number>;
  /** By label: patients that each bin still wants, `[P]`; negative where it has too many. */
  readonly #wants: ReadonlyMap<number, number[]>;
  /** Patients that each bin still wants, `[P]`. */
  readonly #room: number[];
  /** Whether a bin that has all it wants gets no more. */
  readonly #isCapped: boolean;
  readonly #rng: Rng;

  constructor(positives: Positives, shareOut: ShareOut, isCapped: boolean, rng: Rng) {
    this.#left = countLabels(positives);
    this.#wants = new Map([...this.#left].map(([label, n]) => [label, shareOut(n)]));
    this.#room = shareOut(positives.size);
    this.#isCapped = isCapped;
    this.#rng = rng;
  }

  /** The label of the fewest patients not yet placed, the lower of two; null when none is left. */
  rarest(): number | null {
    let best: number | null = null;
    for (const [label, n] of this.#left) {
      if (n > 0 && (best === null || n < (this.#left.get(best) ?? 0))) best = label;
    }
    return best;
  }

  /** Puts a patient with these labels into the bin that wants `rarest` of them most, and gives the bin. */
  put(labels: readonly number[], rarest: number | null): number {
    const bin = this.#choose(labels, rarest);
    this.#room[bin] = (this.#room[bin] ?? 0) - 1;
    for (const label of labels) {
      this.#left.set(label, (this.#left.get(label) ?? 0) - 1);
      const wants = this.#wants.get(label);
      if (wants !== undefined) wants[bin] = (wants[bin] ?? 0) - 1;
    }
    return bin;
  }

  #choose(labels: readonly number[], rarest: number | null): number {
    const wantOf = (label: number, bin: number): number => this.#wants.get(label)?.[bin] ?? 0;
    const roomOf = (bin: number): number => this.#room[bin] ?? 0;
    let bins = [...this.#room.keys()].filter((bin) => !this.#isCapped || roomOf(bin) > 0);
    if (rarest !== null) bins = most(bins, (bin) => wantOf(rarest, bin));
    bins = most(bins, (bin) => labels.reduce((sum, label) => sum + wantOf(label, bin), 0));
    bins = most(bins, roomOf);
    return bins[this.#rng.nextInt(bins.length)] ?? 0;
  }
}

/** Patients of each label, labels ascending. */
function countLabels(positives: Positives): Map<number, number> {
  const counts = new Map<number, number>();
  for (const label of [...positives.values()].flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => a - b));
}

/** Those of `bins` with the largest value. */
function most(bins: readonly number[], scoreOf: (bin: number) => number): number[] {
  const values = bins.map(scoreOf);
  const best = Math.max(...values);
  return bins.filter((_, i) => (values[i] ?? 0) > best - TIE);
}
