import { afterAll, describe, expect, it } from "vitest";
import { fuzz } from "../lib/fuzz/fuzz.ts";
import { fuzzTargets, outcomeOf } from "../lib/fuzz/targets.ts";

/** `PARFOCAL_FUZZ_SEED` tries other cases; `bench/fuzz/run.ts` tries many. */
const SEED = Number(process.env.PARFOCAL_FUZZ_SEED ?? 20_261_125);
const CASES = 300;

/** What all cases together may add to the peak of memory: the files are small, whatever lengths they claim. */
const MAX_GROWTH_MIB = 512;

describe.each(fuzzTargets())(`damaged $name (seed ${SEED})`, (target) => {
  it("are files that are read when they are whole", async () => {
    const outcomes: string[] = [];
    for (const bytes of target.samples) outcomes.push(await outcomeOf(target, bytes));
    expect(outcomes).toContain("parsed");
  });

  it("are read or refused by a code", async () => {
    const { outcomes } = await fuzz(target, CASES, SEED);
    const refused = Object.keys(outcomes).filter((outcome) => outcome !== "parsed");
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe("parsers of damaged files", () => {
  const peakMib = () => process.resourceUsage().maxRSS / 1024;
  const before = peakMib();
  afterAll(() => expect(peakMib() - before).toBeLessThan(MAX_GROWTH_MIB));

  it("do not take the memory that lengths claim", async () => {
    const header = Buffer.from('{"features":{"dtype":"F32","shape":[1000000,65536],"data_offsets":[0,262144000000]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const huge = Buffer.concat([length, header]);
    const safetensors = fuzzTargets().find(({ name }) => name === "safetensors")!;
    expect(await outcomeOf(safetensors, huge)).toBe("TRUNCATED");
  });
});
