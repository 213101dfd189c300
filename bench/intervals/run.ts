/**
 * @file How often sets and intervals hold the truth, by simulation: nominal share, measured share and its binomial error.
 *
 * `node bench/intervals/run.ts [--trials 2000] [--seed 1] [--only TEXT]`. Ends with 1 when a promise that theory makes at this
 * sample size is broken by more than three standard errors. The others hold with ever more cases; they are shown as they are.
 */
import { parseArgs } from "node:util";
import { createRng } from "@parfocal/metrics";
import { describeMachine } from "../lib/machine.ts";
import {
  clusteredBootstrap,
  concordance,
  conformalIntervals,
  conformalSets,
  delong,
  equalModels,
  kaplanMeierAtMedian,
  largeSampleConcordance,
  type Simulation,
} from "./simulations.ts";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const nTrials = Number(values.trials);
const rng = createRng(BigInt(values.seed));

const harrell = largeSampleConcordance(rng.fork("large sample"), 400_000);
const simulations: readonly Simulation[] = [
  conformalSets("lac", 30),
  conformalSets("lac", 200),
  conformalSets("aps", 30),
  conformalSets("aps", 200),
  conformalSets("lac", 200, { isClassConditional: true }),
  conformalSets("lac", 60, { nSlides: 3 }),
  conformalIntervals(30),
  conformalIntervals(200),
  delong("logit", 20, 1.2),
  delong("logit", 100, 1.2),
  delong("logit", 30, 2.33),
  delong("Wald", 30, 2.33),
  clusteredBootstrap(30, "patient"),
  clusteredBootstrap(30, "slide"),
  concordance(60, harrell),
  concordance(200, harrell),
  kaplanMeierAtMedian(50),
  equalModels("auroc", 3, 100),
  equalModels("accuracy", 3, 100),
  equalModels("brier", 3, 100),
];

console.log(`${describeMachine()}; ${nTrials} trials each, seed ${values.seed}`);
console.log(`${"promise".padEnd(66)} nominal  measured  +- s.e.`);
let hasBroken = false;
for (const simulation of simulations.filter(({ name }) => name.includes(values.only))) {
  const own = rng.fork(simulation.name);
  const outcomes = Array.from({ length: nTrials }, () => simulation.trial(own)).filter((kept) => kept !== null);
  const { nominal, isGuaranteed, name } = simulation;
  const share = outcomes.filter(Boolean).length / outcomes.length;
  const error = Math.sqrt((share * (1 - share)) / outcomes.length);
  const isBroken = isGuaranteed && share < nominal - 3 * error;
  hasBroken ||= isBroken;
  const without = outcomes.length < nTrials ? `  (${nTrials - outcomes.length} samples gave no interval)` : "";
  const numbers = `${nominal.toFixed(3).padStart(7)}  ${share.toFixed(4).padStart(8)}  ${error.toFixed(4).padStart(7)}`;
  console.log(`${name.padEnd(66)} ${numbers}${without}${isBroken ? "  BROKEN" : ""}`);
}
process.exitCode = hasBroken ? 1 : 0;
