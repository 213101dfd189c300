import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createKeyedLock } from "./keyed-lock.ts";

const { signal } = new AbortController();

/** Whether a promise is kept within some turns of the event loop. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), sleep(50, false)]);
}

describe("a keyed lock", () => {
  it("lets one at a time in, and another key's at once", async () => {
    const lock = createKeyedLock();
    const release = await lock.acquire("k", signal);
    const next = lock.acquire("k", signal);
    (await lock.acquire("other", signal))();
    expect(await isSettled(next)).toBe(false);
    release();
    (await next)();
    (await lock.acquire("k", signal))();
  });

  it("keeps the next one waiting when somebody before it gives up", async () => {
    const lock = createKeyedLock();
    const release = await lock.acquire("k", signal);
    const controller = new AbortController();
    const given = lock.acquire("k", controller.signal);
    controller.abort();
    await expect(given).rejects.toMatchObject({ code: "CANCELLED" });
    const next = lock.acquire("k", signal);
    expect(await isSettled(next)).toBe(false);
    release();
    (await next)();
  });
});
