import { expect, it } from "vitest";
import { type DecidingKind, decideClasses } from "./decide-classes.ts";

it.each([
  ["binary", [0.6, 0.4], [0.4], [1]],
  ["binary", [0.6, 0.4], [0.41], [0]],
  ["binary", [0.5, 0.5], [], [1]],
  ["multiclass", [0.2, 0.4, 0.4], [0.9, 0.9, 0.9], [1]],
  ["multilabel", [0.5, 0.5, 0.1], [0.5, 0.6, 0.05], [0, 2]],
  ["multilabel", [0.5, 0.4], [undefined, undefined], [0]],
  ["multilabel", [0, 0], [0.1, 0.1], []],
  ["ordinal", [0.4, 0.25, 0.35], [], [1]],
  ["ordinal", [0.5, 0.1, 0.4], [], [0]],
] as const)("%s of %j by %j decides %j", (kind: DecidingKind, probabilities, thresholds, decided) => {
  expect(decideClasses(kind, probabilities, thresholds)).toEqual(decided);
});
