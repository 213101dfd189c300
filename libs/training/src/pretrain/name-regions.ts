import { shortDigest } from "../short-digest.ts";
import type { RegionPool } from "./region-pool.ts";

/** Regions and bags that an error names at most. */
const [MAX_REGIONS, MAX_BAGS] = [32, 8];

/** Regions of a part, for an error: their numbers, and the bags that they are of by the digits of their digests, which name no slide. */
export interface NamedRegions {
  readonly text: string;
  readonly details: Readonly<Record<"regions" | "bagDigests", string>>;
}

/** Names the regions of a batch. */
export function nameRegions({ digestOf }: Pick<RegionPool, "digestOf">, regions: readonly number[]): NamedRegions {
  const digests = [...new Set(regions.map(digestOf))];
  const bags = digests.slice(0, MAX_BAGS).map(shortDigest);
  const text = `regions ${listed(regions, MAX_REGIONS)} of bags ${listed(bags, MAX_BAGS, digests.length)}`;
  return { text, details: { regions: regions.slice(0, MAX_REGIONS).join(","), bagDigests: bags.join(",") } };
}

function listed(values: readonly (number | string)[], max: number, count = values.length): string {
  const others = count > max ? ` and ${count - max} others` : "";
  return `${values.slice(0, max).join(", ")}${others}`;
}
