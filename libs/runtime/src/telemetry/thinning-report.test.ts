import { Registry } from "prom-client";
import { expect, it } from "vitest";
import type { LogFields } from "./logger.ts";
import { createThinningReport } from "./thinning-report.ts";

it("counts tiles that were left out, and logs how many each time, but not of none", async () => {
  const registry = new Registry();
  const lines: [string, LogFields | undefined][] = [];
  const report = createThinningReport(registry, { info: (event, fields) => lines.push([event, fields]) });
  for (const count of [3, 0, 4]) report(count);
  expect(await registry.metrics()).toContain("parfocal_thinned_tiles_total 7");
  expect(lines).toEqual([3, 4].map((count) => ["tiles that share a cell were left out", { count }]));
});
