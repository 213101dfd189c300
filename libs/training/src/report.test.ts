import { parseTask, type SurvivalTask } from "@parfocal/models";
import { describe, expect, it } from "vitest";
import { fitTask } from "./fit-task.ts";
import type { EventTime } from "./label.ts";
import { reportOnGroups, type ScoredCase } from "./report.ts";
import { binOfTime } from "./survival-target.ts";

/** What a model says that knows the bin of every event: survival is 1 up to that bin and 0 from its end on. */
function knowing({ edges }: SurvivalTask, outcomes: readonly (EventTime & { readonly bin: number })[]): ScoredCase[] {
  const places = Array.from({ length: edges.length - 1 }, (_, k) => k);
  return outcomes.map(({ bin, time, isEvent }, i) => ({
    patient: `p${i}`,
    label: { time, isEvent },
    logits: places.map((k) => (k === bin ? 30 : -30)),
    answer: places.map((k) => Number(k < bin)),
  }));
}

function brierOfKnowing(labels: readonly EventTime[]): { readonly edges: readonly number[]; readonly value: unknown } {
  const task = fitTask(parseTask({ kind: "survival", bins: 4 }), labels);
  if (task.kind !== "survival") throw new Error(`the fitted task is ${task.kind}`);
  // Who is censored has the event after everybody's time.
  const last = task.edges.length - 2;
  const outcomes = labels.map((label) => ({ ...label, bin: label.isEvent ? binOfTime(task, label.time) : last }));
  const { metrics } = reportOnGroups(task, knowing(task, outcomes), null, { thresholds: [], seed: 1n });
  return { edges: task.edges, value: metrics.integratedBrier?.value };
}

describe("the integrated Brier score of survival in discrete time", () => {
  it("of a model that knows is 0 where events lie on the ends of intervals", () => {
    const { edges, value } = brierOfKnowing([1, 2, 3, 4, 5].map((time) => ({ time, isEvent: true })));
    expect(edges).toEqual([0, 2, 3, 4, 5]);
    expect(value).toBe(0);
  });

  it("of a model that knows is 0 where censorings lie there too", () => {
    const labels = Array.from({ length: 60 }, (_, i) => ({ time: 1 + (i % 6), isEvent: i % 7 !== 3 }));
    const { edges, value } = brierOfKnowing(labels);
    expect(edges.slice(1, -1).some((edge) => labels.some(({ time, isEvent }) => time === edge && !isEvent))).toBe(true);
    expect(value).toBe(0);
  });
});
