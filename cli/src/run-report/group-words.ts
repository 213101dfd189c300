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
