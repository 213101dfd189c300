import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

const MODULE = new URL("./count-shared.ts", import.meta.url).href;

/** Largest resident memory, MiB, of a process that lets go of 40 memories of 40 MiB, one after the other. */
function peakMib(isCounted: boolean): number {
  const program = `
    const { countShared } = await import(${JSON.stringify(MODULE)});
    let peak = 0;
    for (let i = 0; i < 40; i++) {
      const pages = (40 * 1024 * 1024) / 65536;
      const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      if (${isCounted}) countShared(buffer, buffer.byteLength);
      new Uint8Array(buffer).fill(1);
      await new Promise(setImmediate);
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    console.log(peak / 1024 ** 2);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return Number(stdout);
}

it("frees shared memory that nobody holds while more is taken", () => {
  expect(peakMib(true)).toBeLessThan(800);
  // All of it, which shows that the bound above is one.
  expect(peakMib(false)).toBeGreaterThan(1600);
});
