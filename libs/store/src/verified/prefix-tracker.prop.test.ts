import * as fc from "fast-check";
import { expect, it } from "vitest";
import { createPrefixTracker } from "./prefix-tracker.ts";

it("gives every byte once and in order, whatever the order in which parts arrive", () => {
  const steps = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 5 })), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 13 }), steps, (size, partSize, order) => {
      const grown: [number, number][] = [];
      const tracker = createPrefixTracker(size, partSize, (from, to) => grown.push([from, to]));
      const open = Array.from({ length: Math.ceil(size / partSize) }, (_, index) => ({
        start: index * partSize,
        at: index * partSize,
        end: Math.min(size, (index + 1) * partSize),
      }));
      // What the random steps leave open is finished from behind, the worst order.
      const rest = Array.from({ length: 100 * open.length }, () => [open.length - 1, partSize] as const);
      for (const [pick, nBytes] of [...order, ...rest]) {
        const live = open.filter(({ at, end }) => at < end);
        const part = live[Math.min(pick, live.length - 1)];
        if (part === undefined) break;
        part.at = Math.min(part.end, part.at + nBytes);
        tracker.advance(part.start, part.at);
      }
      expect(grown[0]?.[0]).toBe(0);
      expect(grown.at(-1)?.[1]).toBe(size);
      for (const [index, [from, to]] of grown.entries()) {
        expect(to).toBeGreaterThan(from);
        expect(grown[index + 1]?.[0] ?? size).toBe(to);
      }
    }),
  );
});
