import { expect, it } from "vitest";
import { mapSteps } from "./map-steps.ts";

it("gives results in order and begins no more steps than allowed", async () => {
  let running = 0;
  let most = 0;
  const results = await mapSteps([2, 0, 1, 3], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running -= 1;
    return item * 10;
  });
  expect(results).toEqual([20, 0, 10, 30]);
  expect(most).toBe(2);
});

it("throws a failure while other steps run, and begins no further one", async () => {
  const begun: number[] = [];
  const endless = Promise.withResolvers<void>();
  const mapped = mapSteps([0, 1, 2], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("a fold fails");
    await endless.promise;
  });
  await expect(mapped).rejects.toThrow("a fold fails");
  endless.resolve();
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1]);
});
