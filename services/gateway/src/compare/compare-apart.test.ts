import { aggregateV1, commonV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { compareApart } from "./compare-apart.ts";
import { compareEvaluations } from "./compare-evaluations.ts";
import type { ComparedCase } from "./compared-cases.ts";

const TASK = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["no", "yes"] });

/** Cases that models tell apart with more or less luck. */
function casesOf(nCases: number, nModels: number): ComparedCase[] {
  return Array.from({ length: nCases }, (_, i) => ({
    patient: `p${i}`,
    labelled: aggregateV1.LabelledBag.fromPartial({ labels: [i % 2 === 0 ? "no" : "yes"] }),
    predictions: Array.from({ length: nModels }, (__, m) => {
      const p = 0.5 + 0.4 * Math.sin(i * (m + 1)) * (i % 2 === 0 ? -1 : 1);
      const probabilities = [
        { label: "no", probability: 1 - p },
        { label: "yes", probability: p, threshold: 0.5 },
      ];
      return commonV1.Prediction.fromPartial({ probabilities });
    }),
  }));
}

describe("compareApart", () => {
  it("gives what comparing here gives, while the loop goes on", async () => {
    const cases = casesOf(40, 3);
    let nTicks = 0;
    const ticking = setInterval(() => (nTicks += 1), 1);
    const rows = await compareApart(TASK, cases, new AbortController().signal);
    clearInterval(ticking);
    expect(nTicks).toBeGreaterThan(0);
    expect(rows).toEqual(compareEvaluations(TASK, cases));
  });

  it("throws what comparing here throws", async () => {
    const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: ["a", "b"] });
    let here: unknown;
    try {
      compareEvaluations(task, casesOf(4, 2));
    } catch (error) {
      here = error;
    }
    expect(here).toBeDefined();
    await expect(compareApart(task, casesOf(4, 2), new AbortController().signal)).rejects.toMatchObject({
      code: (here as { code: string }).code,
      message: (here as Error).message,
    });
  });

  it("ends when it is cancelled", async () => {
    await expect(compareApart(TASK, casesOf(500, 24), AbortSignal.timeout(20))).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:CANCELLED|DEADLINE_EXCEEDED)$/u) as string,
    });
  });
});
