import type { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { type DemoOutcome, demoFigures, demoProblems } from "./demo-checks.ts";
import type { DemoSource } from "./demo-cohort.ts";

const planted = { kind: "planted" } as DemoSource;

/** What a demo came to whose predictions make `auroc`, and whose attention finds lesions with `lesion`. */
function outcome(auroc: number | null, lesion?: number): DemoOutcome {
  const metrics = auroc === null ? {} : { auroc: { value: auroc } };
  const slides = lesion === undefined ? [] : [{ row: {}, lesionAuroc: lesion }];
  const model = { test: { metrics: auroc === null ? [] : [{ name: "auroc", label: "", value: auroc }] } };
  return {
    model: model as unknown as gatewayV1.Model,
    slides: slides as unknown as DemoOutcome["slides"],
    evaluation: { metrics } as unknown as DemoOutcome["evaluation"],
  };
}

describe("figures of a demo", () => {
  it("are bound for the usual size and above, and told of a smaller one with the reason", () => {
    const weak = outcome(0.7, 0.306);
    const low = [
      "the AUROC on held-out slides is 0.700; the planted signal makes at least 0.8",
      "attention finds the planted lesions with AUROC 0.306; it should be at least 0.8",
    ];
    expect(demoFigures(planted, weak, { slides: 60 })).toMatchObject({ low, areBound: true });
    expect(demoFigures(planted, weak, { slides: 61, epochs: 30 })).toMatchObject({ low, areBound: true });
    expect(demoFigures(planted, weak, { slides: 60, epochs: 29 })).toMatchObject({ low, areBound: false });
    expect(demoFigures(planted, weak, { slides: 16, epochs: 3 })).toEqual({
      low,
      areBound: false,
      why: "bound from 60 slides and 30 epochs on; these were 16 and 3",
    });
  });

  it("may be unknown where slides of one kind are held out, and are nothing to judge users' slides by", () => {
    const [auroc] = demoFigures(planted, outcome(null), { slides: 4 }).low;
    expect(auroc).toContain("is unknown (no slides of both kinds are held out); the planted signal");
    expect(demoFigures({ ...planted, kind: "folder" }, outcome(0.1), { slides: 60 }).low).toEqual([]);
  });

  it("are good when they reach what the signal makes", () => {
    expect(demoFigures(planted, outcome(0.8, 0.8), { slides: 60 }).low).toEqual([]);
  });
});

describe("problems of a demo", () => {
  it("are predictions that disagree with the training, of any size", () => {
    const good = outcome(0.9, 0.9);
    expect(demoProblems(good)).toEqual([]);
    expect(demoProblems({ ...good, model: outcome(0.8).model })).toEqual([
      "the predictions make an AUROC of 0.9; the training measured 0.8",
    ]);
  });
});
