import { expect, it } from "vitest";
import { mapBounded } from "./map-bounded.ts";

it("gives results in the order of the items, with no more calls at a time than allowed", async () => {
  let running = 0;
  let most = 0;
  const results = await mapBounded([3, 1, 2, 0, 4], 2, async (item, index) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running -= 1;
    return `${index}:${item}`;
  });
  expect(results).toEqual(["0:3", "1:1", "2:2", "3:0", "4:4"]);
  expect(most).toBe(2);
});

it("throws the first failure once the calls beside it have ended, and begins no further one", async () => {
  const sibling = Promise.withResolvers<void>();
  const begun: number[] = [];
  const ended: number[] = [];
  const told: boolean[] = [];
  const mapped = mapBounded([0, 1, 2], 2, async (item, _, failed) => {
    begun.push(item);
    if (item === 1) throw new Error("the second fails");
    await sibling.promise;
    told.push(failed.aborted);
    ended.push(item);
    throw new Error("a consequence");
  });
  let isSettled = false;
  const settled = mapped.catch((error: Error) => error.message).finally(() => (isSettled = true));
  await new Promise(setImmediate);
  expect(isSettled).toBe(false);
  sibling.resolve();
  expect(await settled).toBe("the second fails");
  expect({ begun, ended }).toEqual({ begun: [0, 1], ended: [0] });
  expect(told).toEqual([true]);
});

it("does nothing for no items", async () => {
  expect(await mapBounded([], 4, () => Promise.reject(new Error("called")))).toEqual([]);
});
