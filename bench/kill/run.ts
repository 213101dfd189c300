/**
 * Kills random processes of a deployment while operations run, for as many rounds as are asked for:
 *
 *   node bench/kill/run.ts --rounds 1000 [--driver embedded|temporal|both] [--seed 1] [--verbose]
 *
 * Half of the rounds on each driver. Ends with 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import type { DriverKind } from "../../test/lib/kill/cluster.ts";
import { runKillSession } from "../../test/lib/kill/session.ts";
import { whyNoTemporal } from "../../test/lib/temporal-server.ts";

/** Rounds of one deployment; the next begins on an empty store. */
const ROUNDS_PER_SESSION = 50;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    driver: { type: "string", default: "both" },
    seed: { type: "string", default: "1" },
    verbose: { type: "boolean", default: false },
  },
});

const kinds: readonly DriverKind[] =
  values.driver === "both" ? ["embedded", "temporal"] : [values.driver as DriverKind];
if (kinds.includes("temporal")) {
  const reason = whyNoTemporal();
  if (reason !== undefined) throw new Error(reason);
}

let isBroken = false;
for (const kind of kinds) {
  let left = Math.ceil(Number(values.rounds) / kinds.length);
  for (let session = 0; left > 0; session++) {
    const rounds = Math.min(left, ROUNDS_PER_SESSION);
    const seed = BigInt(values.seed) + BigInt(session);
    const beginMs = performance.now();
    const onRound = (round: number, victim: string, pauseMs: number): void => {
      const atS = ((performance.now() - beginMs) / 1000).toFixed(1);
      if (values.verbose) console.log(`${atS} s: round ${round}, ${victim} after ${pauseMs} ms`);
    };
    const report = await runKillSession({ kind, rounds, seed, onRound });
    console.log(
      JSON.stringify({ kind, rounds, seed: String(seed), seconds: (performance.now() - beginMs) / 1000, ...report }),
    );
    isBroken ||= report.violations.length > 0;
    left -= rounds;
  }
}
process.exitCode = isBroken ? 1 : 0;
