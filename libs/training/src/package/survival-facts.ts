import { DomainError } from "@parfocal/errors";
import type { CensoringStep } from "@parfocal/metrics";
import { type ConfigObject, createConfigReader } from "@parfocal/models";
import type { BaselineHazard } from "../baseline-hazard.ts";

/** What a manifest says of the training part's events. No patient is in it, but times are. */
export interface SurvivalFacts {
  /** Cox: what makes survival curves of risks; absent where it could not be had. */
  readonly baseline?: BaselineHazard;
  /** How long patients were followed: by what test cases of the same source are weighed; absent where there are more than 10 000 steps. */
  readonly censoring?: { readonly times: readonly number[]; readonly free: readonly number[] };
}

/** Longest lists. */
const MAX_STEPS = 10_000;

/** Facts of a training part, as they are published. */
export function survivalFacts(baseline: BaselineHazard | undefined, steps: readonly CensoringStep[]): SurvivalFacts {
  const censoring = { times: steps.map(({ time }) => time), free: steps.map(({ free }) => free) };
  return { ...(baseline && { baseline }), ...(steps.length <= MAX_STEPS && { censoring }) };
}

/** The steps of the censoring of facts; undefined where they were not published. */
export function censoringOfFacts(facts: SurvivalFacts | undefined): CensoringStep[] | undefined {
  const { censoring } = facts ?? {};
  return censoring?.times.map((time, i) => ({ time, free: censoring.free[i] ?? Number.NaN }));
}

/**
 * The facts of a manifest.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming a field that is missing, of another type or out of its bounds.
 */
export function survivalFromJson(json: ConfigObject): SurvivalFacts {
  const reader = createConfigReader(json, "survival");
  const [baseline, censoring] = [reader.optionalObject("baseline"), reader.optionalObject("censoring")];
  reader.assertNoOthers();
  return {
    ...(baseline && { baseline: stepsFrom(baseline, "hazards", Number.MAX_VALUE) }),
    ...(censoring && { censoring: stepsFrom(censoring, "free", 1) }),
  };
}

function stepsFrom<Name extends string>(
  json: ConfigObject,
  name: Name,
  max: number,
): { readonly times: readonly number[] } & Readonly<Record<Name, readonly number[]>> {
  const reader = createConfigReader(json, "survival");
  const times = reader.numbers("times", { min: 0, max: Number.MAX_VALUE, maxItems: MAX_STEPS });
  const values = reader.numbers(name, { min: 0, max, maxItems: MAX_STEPS });
  reader.assertNoOthers();
  const isAscending = times.every((time, i) => i === 0 || time > (times[i - 1] ?? time));
  if (isAscending && times.length === values.length) {
    return { times, [name]: values } as { readonly times: readonly number[] } & Record<Name, readonly number[]>;
  }
  throw new DomainError(
    "INVALID_ARGUMENT",
    `survival.${name} has ${values.length} values at ${times.length} times; times ascend, one each`,
  );
}
