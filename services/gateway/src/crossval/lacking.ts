import type { gatewayV1 } from "@parfocal/protocol";

/** What a part without a single event lacks. */
const EVENT = "event";

/**
 * Classes that bags of the request have and none of `rows` has, sorted by name; of survival, `event` where none of `rows` has one. With
 * numbers nothing can be lacking.
 *
 * @param rows Places in the request.
 */
export function lacking({ bags }: Pick<gatewayV1.CrossValidateRequest, "bags">, rows: readonly number[]): string[] {
  const held = new Set(rows.flatMap((row) => classesOf(bags[row])));
  return [...new Set(bags.flatMap(classesOf))].filter((name) => !held.has(name)).sort();
}

function classesOf(bag: gatewayV1.LabelledBag | undefined): readonly string[] {
  if (bag?.survival !== undefined) return bag.survival.event ? [EVENT] : [];
  return bag?.labels ?? [];
}
