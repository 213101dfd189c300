import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import type { StepPlace } from "./journal-entry.ts";

/** Which steps a run of a workflow function asked for, held against those that an earlier run is known to have finished. */
export interface StepLedger {
  /** Gives a step its place. @throws {DomainError} `INTERNAL` for a name used twice or a broken replay. */
  enter(name: string): StepPlace;
  /** Every entered step leaves, however it ended. */
  leave(): void;
  /** Keeps the first broken rule and gives it. */
  breakRule(error: DomainError): DomainError;
  /** The first broken rule, if any: it decides the outcome even when the workflow swallowed the error. */
  readonly violation: DomainError | undefined;
  /** Finished steps that the function did not ask for. */
  notAsked(): StepPlace[];
}

/** A ledger for a run that begins, of which an earlier one had finished the steps at `places`. */
export function createStepLedger(places: readonly StepPlace[]): StepLedger {
  const known = new Map(places.map((place) => [place.slug, place]));
  const fixed = new Map(places.filter(({ isSequential }) => isSequential).map(({ ordinal, slug }) => [ordinal, slug]));
  const asked = new Set<string>();
  let nInFlight = 0;
  let isSequential = true;
  let violation: DomainError | undefined;
  const breakRule = (error: DomainError): DomainError => (violation ??= error);
  return {
    enter(name) {
      const slug = slugFromName(name);
      if (asked.has(slug))
        throw breakRule(new DomainError("INTERNAL", `step "${name}" was asked for twice; names of steps are unique`));
      asked.add(slug);
      isSequential &&= nInFlight === 0;
      const ordinal = asked.size;
      const before = known.get(slug);
      const expected = fixed.get(ordinal);
      const isMoved = before?.isSequential === true && before.ordinal !== ordinal;
      if (isMoved || (expected !== undefined && expected !== slug))
        throw breakRule(replayMismatch(name, ordinal, before));
      nInFlight++;
      return { ordinal, isSequential, slug };
    },
    leave() {
      nInFlight--;
    },
    breakRule,
    get violation() {
      return violation;
    },
    notAsked: () => [...known.values()].filter(({ slug }) => !asked.has(slug)),
  };
}

/** What is wrong when a finished step is not asked for any more. */
export function unaskedStep(name: string): DomainError {
  return new DomainError(
    "INTERNAL",
    `replay mismatch: the journal holds step "${name}", which the workflow no longer asks for`,
  );
}

function replayMismatch(name: string, ordinal: number, entry: StepPlace | undefined): DomainError {
  const was = entry === undefined ? "another step was journaled there" : `it was step ${entry.ordinal} in the journal`;
  return new DomainError(
    "INTERNAL",
    `replay mismatch: the workflow asks for "${name}" as step ${ordinal}, but ${was}; its code changed while this operation ran`,
  );
}

/** Readable and unique: what of a name may stand in a key, and a digest of the whole. */
export function slugFromName(name: string): string {
  if (name.length < 1 || name.length > 200) {
    throw new DomainError("INTERNAL", `a step name has ${name.length} characters; 1 to 200 are allowed`);
  }
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `${name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40)}.${digest}`;
}
