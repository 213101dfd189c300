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
});
