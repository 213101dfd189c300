import { randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { DriverKind } from "../lib/kill/cluster.ts";
import { runKillSession, type SessionReport } from "../lib/kill/session.ts";
import { whyNoTemporal } from "../lib/temporal-server.ts";

/** Kills on each driver; `bench/kill/run.ts` does as many as are asked for. */
const ROUNDS = 20;
/** One of the gate is another one every time; PARFOCAL_KILL_SEED repeats one. */
const SEED = BigInt(process.env.PARFOCAL_KILL_SEED ?? randomInt(2 ** 31));

async function kill(kind: DriverKind): Promise<SessionReport> {
  const rounds: string[] = [];
  const onRound = (_: number, victim: string, pauseMs: number): void => void rounds.push(`${victim} ${pauseMs}`);
  const report = await runKillSession({ kind, rounds: ROUNDS, seed: SEED, onRound });
  console.log(`${kind}, seed ${SEED}: ${JSON.stringify(report)}; ${rounds.join(", ")}`);
  return report;
}

const LONG = { timeout: 3_600_000 };
const reason = whyNoTemporal();

describe(`kill -9 of random processes, ${ROUNDS} rounds`, () => {
  it("loses, repeats and changes nothing with the embedded driver", LONG, async () => {
    const { violations, kills } = await kill("embedded");
    expect(violations).toEqual([]);
    expect(Object.values(kills).reduce((a, b) => a + b, 0)).toBe(ROUNDS);
  });

  it.skipIf(reason !== undefined)(
    `loses, repeats and changes nothing with the Temporal driver${reason === undefined ? "" : `: ${reason}`}`,
    LONG,
    async () => {
      const { violations, kills } = await kill("temporal");
      expect(violations).toEqual([]);
      expect(Object.values(kills).reduce((a, b) => a + b, 0)).toBe(ROUNDS);
    },
  );
});
