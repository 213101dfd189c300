import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { ImportJob } from "./import-messages.ts";
import { createImportPool } from "./import-pool.ts";

describe("a pool of import processes", () => {
  const folder = mkdtempSync(join(tmpdir(), "parfocal-pool-"));
  const pool = createImportPool({ maxProcesses: 1, maxWaiting: 1, heapMb: 128 });
  afterAll(() => pool.close());

  const job = (fileName: string, text: string): ImportJob => {
    const path = join(folder, fileName);
    writeFileSync(path, text);
    const target = { uri: pathToFileURL(join(folder, "store")).href, options: {} };
    return { source: { kind: "file", path }, fileName, hints: {}, target, targetPrefix: "bags/" };
  };
  const twoBags = job("two.csv", "label,bag,a\n1,x,1\n1,y,2\n");

  it("has a fresh process for the job after one that was left early", async () => {
    const { signal } = new AbortController();
    for await (const outcome of pool.run(twoBags, signal)) {
      expect(outcome.kind).toBe("bag");
      break;
    }
    const outcomes = await Array.fromAsync(pool.run(twoBags, signal));
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(["bag", "bag"]);
  });
});
