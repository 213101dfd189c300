import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeyLocks } from "./key-lock.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "parfocal-lock-"));
});
afterEach(() => rm(root, { recursive: true }));

describe("key locks", () => {
  it("let one in at a time, over all who have the root open", async () => {
    const all = [createKeyLocks(root), createKeyLocks(root)];
    let nInside = 0;
    let nDone = 0;
    const work = async () => {
      nInside += 1;
      expect(nInside).toBe(1);
      await new Promise(setImmediate);
      nInside -= 1;
      nDone += 1;
    };
    const tries = Array.from({ length: 15 }, () => all.map((locks) => locks.withLock("key", undefined, work)));
    await Promise.all(tries.flat());
    expect(nDone).toBe(30);
    for (const locks of all) locks.close();
  });

  it("write nothing, so that a full disk holds nobody up", async () => {
    const locks = createKeyLocks(root);
    const folder = join(root, ".parfocal", "locks");
    const names = await locks.withLock("key", undefined, () => readdir(folder));
    expect(names).toEqual([expect.stringMatching(/^\d+\.lock$/)]);
    expect((await stat(join(folder, names[0] ?? ""))).size).toBe(0);
    locks.close();
  });

  it("are free again when the work failed", async () => {
    const locks = createKeyLocks(root);
    await expect(locks.withLock("key", undefined, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await locks.withLock("key", undefined, async () => "in")).toBe("in");
    locks.close();
  });

  it("are waited for no longer than the signal allows", async () => {
    const [holder, waiter] = [createKeyLocks(root), createKeyLocks(root)];
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = holder.withLock("key", undefined, () => promise);
    const late = waiter.withLock("key", AbortSignal.timeout(20), async () => "in");
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    resolve();
    await held;
    expect(await waiter.withLock("key", undefined, async () => "in")).toBe("in");
    for (const locks of [holder, waiter]) locks.close();
  });

  it("fall free when their holder is killed", async () => {
    const module = new URL("./key-lock.ts", import.meta.url).href;
    const script = `
      const { createKeyLocks } = await import(${JSON.stringify(module)});
      const locks = createKeyLocks(${JSON.stringify(root)});
      await locks.withLock("key", undefined, () => {
        console.log("held");
        return new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const locks = createKeyLocks(root);
    try {
      await once(child.stdout, "data");
      const early = locks.withLock("key", AbortSignal.timeout(50), async () => "in");
      await expect(early).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    } finally {
      child.kill("SIGKILL");
    }
    await once(child, "exit");
    expect(await locks.withLock("key", undefined, async () => "in")).toBe("in");
    locks.close();
  });
});
