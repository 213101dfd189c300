import { plural } from "./units.ts";

/** What imports concluded of places of tiles, by bag: values of `inferred`. */
type Inferred = Readonly<Record<string, string>>;

/**
 * Lines for people on what was concluded from coordinates: strides that no bag states, and tiles on one place. Empty where there is
 * nothing to tell.
 */
export function inferredPlaceLines(bags: readonly Inferred[]): string[] {
  const strides = bags.flatMap(({ stridePx }) => stridePx ?? []);
  const shared = bags.flatMap(({ sharedTiles }) => (sharedTiles === undefined ? [] : [Number(sharedTiles)]));
  const nShared = shared.reduce((sum, count) => sum + count, 0);
  const [bagsWithout, bagsSharing] = [plural(strides.length, "bag"), plural(shared.length, "bag")];
  return [
    ...(strides.length === 0 ? [] : [`stride inferred from coordinates in ${bagsWithout}: ${counted(strides)}`]),
    ...(nShared === 0
      ? []
      : [`${plural(nShared, "tile")} of ${bagsSharing} lie where an earlier one does; the bags keep all`]),
  ];
}

/** At most this many values are listed. */
const MAX_VALUES = 5;

/** Values and in how many bags, the most frequent first. */
function counted(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const all = [...counts].toSorted(([, a], [, b]) => b - a).map(([value, count]) => `${value} px (${count})`);
  const more = all.length > MAX_VALUES ? `, … and ${all.length - MAX_VALUES} others` : "";
  return `${all.slice(0, MAX_VALUES).join(", ")}${more}`;
}
