import type { PredictionRow } from "./report-data.ts";

/**
 * What is true of a row as a cell of a labels table says it: labels that hold, and with a question mark before them those of which
 * nobody knows, as in `KRAS; ?BRAF`. Null where there is no label; empty where every label is known not to hold.
 */
export function truthText({ truth, unknown = [] }: PredictionRow): string | null {
  if (typeof truth !== "string") return null;
  return [...(truth === "" ? [] : [truth]), ...unknown.map((name) => `?${name}`)].join("; ");
}

/** What people are shown of the slides of a row: the first, and how many were decided together with it. */
export function slideText({ slide, slides = [] }: PredictionRow): string {
  return slides.length < 2 ? slide : `${slide} and ${slides.length - 1} more`;
}
