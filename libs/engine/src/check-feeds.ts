import { DomainError } from "@parfocal/errors";
import type { GraphPort } from "@parfocal/tensor";
import type { ElementType } from "./engine-port.ts";

/** What is known of a tensor before a run; `undefined` stands for a resident one, checked where it lives. */
export interface FeedShape {
  readonly dtype: ElementType;
  readonly shape: readonly number[];
}

/**
 * Checks feeds against the inputs of a graph: each one fed, none too many, element types equal, dimensions equal, and
 * each symbolic dimension the same wherever it stands.
 *
 * @throws {DomainError} INVALID_ARGUMENT when an input is not fed or a feed is no input
 * @throws {DomainError} SHAPE_MISMATCH naming the input, what it got and what it needs
 */
export function assertFeeds(inputs: readonly GraphPort[], feeds: ReadonlyMap<string, FeedShape | undefined>): void {
  assertNames(inputs, feeds);
  const symbols = new Map<string, { readonly size: number; readonly input: string }>();
  for (const input of inputs) {
    const feed = feeds.get(input.name);
    if (feed === undefined) continue;
    if (feed.dtype !== input.dtype || feed.shape.length !== input.shape.length) throw mismatch(input, feed);
    for (const [axis, expected] of input.shape.entries()) {
      const actual = feed.shape[axis] ?? 0;
      if (typeof expected === "number") {
        if (expected !== actual) throw mismatch(input, feed);
        continue;
      }
      const bound = symbols.get(expected);
      if (bound === undefined) symbols.set(expected, { size: actual, input: input.name });
      else if (bound.size !== actual) {
        throw mismatch(input, feed, `: ${expected} is ${bound.size} by input "${bound.input}" and ${actual} here`);
      }
    }
  }
}

function assertNames(inputs: readonly GraphPort[], feeds: ReadonlyMap<string, unknown>): void {
  for (const input of inputs) {
    if (!feeds.has(input.name))
      throw new DomainError("INVALID_ARGUMENT", `input "${input.name}" of the graph is not fed`);
  }
  if (feeds.size === inputs.length) return;
  const known = inputs.map((input) => input.name);
  const extra = [...feeds.keys()].find((name) => !known.includes(name));
  throw new DomainError("INVALID_ARGUMENT", `"${extra}" is no input of the graph, which has ${known.join(", ")}`);
}

function mismatch(input: GraphPort, feed: FeedShape, why = ""): DomainError {
  const expected = `${input.dtype} [${input.shape.join(", ")}]`;
  const actual = `${feed.dtype} [${feed.shape.join(", ")}]`;
  return new DomainError("SHAPE_MISMATCH", `input "${input.name}" is ${actual}, the graph needs ${expected}${why}`, {
    details: { input: input.name, expected, actual },
  });
}
