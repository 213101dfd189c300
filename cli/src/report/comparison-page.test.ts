import { gatewayV1 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { renderComparison } from "./comparison-page.ts";

describe("the page of a comparison", () => {
  it("calls every metric by its words, not by its name in the contract", () => {
    const comparisons = ["auroc", "log_loss", "weighted_auroc"].map((metric) => ({ metric, difference: 0.1 }));
    const answer = gatewayV1.CompareModelsResponse.fromPartial({ names: ["a", "b"], comparisons });
    const html = renderComparison({
      experiment: "tumour",
      names: ["a", "b"],
      draws: [{ name: "seed 1", answer }],
      generatedAt: "2026-11-21 08:00 UTC",
      methodOf: () => "DeLong",
    });
    expect(html).toContain("Log loss (lower is better)</th>");
    expect(html).toContain("AUROC, weighted by prevalence</th>");
    expect(html).not.toMatch(/log_loss|weighted_auroc/);
  });

  it("says which figures are no test, and of which that is not known", () => {
    const seen = { trainingCount: 3, neitherCount: 5, unknownCount: 2 };
    const answer = gatewayV1.CompareModelsResponse.fromPartial({
      names: ["a", "b", "c"],
      evaluations: [{ seen }, { seen: { neitherCount: 10 } }, {}],
    });
    const html = renderComparison({
      experiment: "tumour",
      names: ["a", "b", "c"],
      draws: [{ name: "seed 1", answer }],
      generatedAt: "2026-11-21 08:00 UTC",
      methodOf: () => "DeLong",
    });
    expect(html).toContain("a: 3 of 10 slides were in the training part of this model: its figures are no test.");
    expect(html).toContain("a: whether this model has learnt from 2 of 10 slides is not known");
    expect(html).not.toMatch(/>[bc]: /u);
  });
});
