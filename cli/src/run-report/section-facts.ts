import type { Section, SectionValue } from "../experiment/experiment.ts";
import type { Fact } from "../report/index.ts";

/** The values of a section of an experiment as facts, groups by their names: `trunk hidden`, `512, 256`. */
export function sectionFacts(section: Section): Fact[] {
  return factsOf(section, "");
}

function factsOf(value: SectionValue, name: string): Fact[] {
  if (typeof value === "object" && !Array.isArray(value)) {
    return Object.entries(value as Section).flatMap(([key, inner]) => factsOf(inner, `${name} ${key}`));
  }
  return [{ name: name.trim().replaceAll("_", " "), value: textOf(value) }];
}

function textOf(value: SectionValue): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(", ");
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}
