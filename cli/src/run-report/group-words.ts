import type { CrossValidation } from "../experiment/cross-validate.ts";
import type { Experiment } from "../experiment/experiment.ts";
import { meaningOfRule } from "../output/decided-together.ts";
import { formatPlural } from "../report/index.ts";

/** The rule by which an experiment puts the slides of a label together, in words: "max: the greatest …"; undefined: it does not. */
export function groupRuleOf({ sections }: Pick<Experiment, "sections">): string | undefined {
  const word = String(sections.groups?.kind ?? "none");
  // This one chooses who learns.
  if (word === "min-loss")
    return "min-loss: the slide that fits the label best learns, the most positive slide decides";
  const meaning = meaningOfRule(word);
  return meaning === undefined ? undefined : `${word}: decided by ${meaning}`;
}

/** How many cases, and of how many slides where these are more: "12 held-out cases of 16 slides". `adjective` ends with a space. */
export function casesOf(nCases: number, nSlides: number, adjective = ""): string {
  return nSlides === nCases
    ? formatPlural(nSlides, `${adjective}slide`)
    : `${formatPlural(nCases, `${adjective}case`)} of ${formatPlural(nSlides, "slide")}`;
}

/** What is decided once, in words. */
export interface DecidedUnit {
  /** `slide`, `patient`, or `group` where labels name groups within patients. */
  readonly unit: "slide" | "patient" | "group";
  /** How many there are; of how many slides. */
  readonly nUnits: number;
  readonly nSlides: number;
}

/** What a cross-validation decided once, by its first repeat. */
export function decidedUnitOf({ repeats, decided }: Pick<CrossValidation, "repeats" | "decided">): DecidedUnit {
  const nSlides = repeats[0]?.length ?? 0;
  const [units] = decided ?? [];
  if (units === undefined) return { unit: "slide", nUnits: nSlides, nSlides };
  const hasGroups = units.some(({ assigned: { row } }) => row.group !== undefined);
  return { unit: hasGroups ? "group" : "patient", nUnits: units.length, nSlides };
}

/** "24 slides", "12 patients of 24 slides". */
export function unitsText({ unit, nUnits, nSlides }: DecidedUnit): string {
  const whole = formatPlural(nUnits, unit);
  return unit === "slide" ? whole : `${whole} of ${formatPlural(nSlides, "slide")}`;
}
