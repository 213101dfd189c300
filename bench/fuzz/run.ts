/**
 * @file Damages files of every format that comes from outside, parses them, and prints what came of it; exit code 1 when anything but a
 * result or a refusal with a code did. `node bench/fuzz/run.ts [--cases 20000] [--seed N] [--only "HDF5 files"]`
 */
import { parseArgs } from "node:util";
import { fuzz } from "../../test/lib/fuzz/fuzz.ts";
import { fuzzTargets } from "../../test/lib/fuzz/targets.ts";

const { values } = parseArgs({
  options: { cases: { type: "string", default: "20000" }, seed: { type: "string" }, only: { type: "string" } },
});
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
console.log(`seed ${seed}`);
for (const target of fuzzTargets().filter(({ name }) => values.only === undefined || name === values.only)) {
  const startMs = performance.now();
  try {
    const { nCases, outcomes, slowestMs } = await fuzz(target, Number(values.cases), seed);
    const counts = Object.entries(outcomes).sort(([, a], [, b]) => b - a);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    console.log(`${target.name}: ${nCases} cases in ${seconds} s, slowest ${slowestMs.toFixed(0)} ms`);
    console.log(`  ${counts.map(([outcome, count]) => `${outcome} ${count}`).join(", ")}`);
  } catch (error) {
    console.log(`${target.name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
console.log(`peak memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
process.exit();
