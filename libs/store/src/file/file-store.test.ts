import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ObjectStore } from "../object-store.ts";
import { createFileStore } from "./file-store.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

let folder: string;
let store: ObjectStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-file-store-"));
  store = createFileStore(pathToFileURL(folder).href);
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

describe("a local store", () => {
  it("takes a relative folder as one of the working directory, never as one of the root", () => {
    const relative = createFileStore("file:.parfocal/no-such-store");
    expect(relative.rootUri).toBe(pathToFileURL(resolve(".parfocal/no-such-store")).href);
    relative.close();
  });

  it.each(["file://host/x", "file:///", "file:///x?y", "file:///x#y"])("refuses %s", (uri) => {
    expect(() => createFileStore(uri)).toThrow("file:///folder");
  });

  it("names its root as a URL without a trailing slash", () => {
    expect(createFileStore(`${pathToFileURL(folder).href}/a b/`).rootUri).toBe(`${pathToFileURL(folder).href}/a%20b`);
  });

  it("reads, lists, replaces and deletes files that somebody put there by hand", async () => {
    await mkdir(join(folder, "features_v1.5"));
    for (const name of ["LICENSE", "50%.csv", "a%20b.txt", "features_v1.5/slide.h5", ".DS_Store"]) {
      await writeFile(join(folder, name), name);
    }
    const keys = ["50%.csv", "LICENSE", "a%20b.txt", "features_v1.5/slide.h5"];
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(keys);
    for (const key of keys) expect(text((await store.get(key)).bytes)).toBe(key);
    await expect(store.get(".DS_Store")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(store.put("LICENSE", Buffer.from("x"), { ifNoneMatch: "*" })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    const { etag } = await store.head("LICENSE");
    await store.put("LICENSE", Buffer.from("new"), { ifMatch: etag });
    await store.put("features_v1.5/slide.h5", Buffer.from("new"));
    expect(text((await store.get("LICENSE")).bytes)).toBe("new");
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(keys);
    for (const key of keys) await store.delete(key);
    expect((await store.list("")).objects).toEqual([]);
  });

  it("follows symbolic links to files and folders", async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), "parfocal-elsewhere-"));
    await writeFile(join(elsewhere, "slide.h5"), "linked");
    await symlink(elsewhere, join(folder, "mounted"));
    await symlink(join(elsewhere, "missing"), join(folder, "broken.h5"));
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(["mounted/slide.h5"]);
    expect(text((await store.get("mounted/slide.h5")).bytes)).toBe("linked");
    await rm(elsewhere, { recursive: true });
  });

  it("takes links that lead in a circle for nothing", async () => {
    await store.put("a/x.bin", Buffer.from("x"));
    await symlink("self", join(folder, "self"));
    await symlink("..", join(folder, "a", "up"));
    await symlink("../a", join(folder, "a", "again"));
    expect((await store.list("")).objects.map(({ key }) => key)).toEqual(["a/x.bin"]);
    await expect(store.get("self")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(store.head("self/x.bin")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("takes a pipe for nothing, and does not wait for who writes to it", async () => {
    expect(spawnSync("mkfifo", [join(folder, "pipe.bin")]).status).toBe(0);
    await expect(store.get("pipe.bin")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await store.list("")).objects).toEqual([]);
  });

  it("removes folders that a deletion leaves empty, and only these", async () => {
    await store.put("a/b/c/x.bin", Buffer.from("x"));
    await store.put("a/y.bin", Buffer.from("y"));
    await store.delete("a/b/c/x.bin");
    expect(await readdir(join(folder, "a"))).toEqual(["y.bin"]);
    await store.delete("a/y.bin");
    expect(await readdir(folder)).toEqual([".parfocal"]);
  });

  it("survives puts and deletes that fight over a folder", async () => {
    const other = createFileStore(pathToFileURL(folder).href);
    const fight = async (client: ObjectStore, key: string) => {
      for (let round = 0; round < 100; round += 1) {
        await client.put(key, Buffer.from(key), round % 2 === 0 ? {} : { ifNoneMatch: "*" });
        await client.delete(key);
      }
    };
    await Promise.all([fight(store, "f/g/a.bin"), fight(other, "f/g/b.bin"), fight(other, "f/c.bin")]);
    expect((await store.list("")).objects).toEqual([]);
    other.close();
  });

  it("gives another tag for other bytes of the same size, written at the same time as far as the clock knows", async () => {
    const first = await store.put("t.bin", Buffer.from("aaaa"));
    await store.delete("t.bin");
    const second = await store.put("t.bin", Buffer.from("bbbb"));
    expect(second.etag).not.toBe(first.etag);
  });

  it("gives the time of day, not that since the start, which stands still while the machine sleeps", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(5.25);
    const startMs = Date.now();
    const { lastModifiedMs } = await store.put("t.bin", Buffer.from("aaaa"));
    now.mockRestore();
    expect(lastModifiedMs).toBeGreaterThanOrEqual(startMs);
  });

  it("moves time on although the clock was set back", async () => {
    await store.put("t.bin", Buffer.from("aaaa"));
    const future = Date.now() / 1000 + 3600;
    await utimes(join(folder, "t.bin"), future, future);
    const info = await store.put("t.bin", Buffer.from("bbbb"));
    expect(info.lastModifiedMs).toBeGreaterThanOrEqual(Math.floor(future * 1000));
  });

  it("is INVALID_ARGUMENT for a part that no file can be named after", async () => {
    await expect(store.put(`a/${"é".repeat(150)}.bin`, Buffer.from("x"))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("304 bytes as a file name, the bound is 255") as string,
    });
  });

  it("is CONFLICT where a foreign file stands in the way of a folder, and leaves nothing behind", async () => {
    await writeFile(join(folder, "a"), "foreign");
    for (const key of ["a/b.bin", "a/b/c/d.bin"]) {
      await expect(store.put(key, Buffer.from("x"))).rejects.toMatchObject({ code: "CONFLICT" });
    }
    await expect(store.get("a/b.bin")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await readdir(join(folder, ".parfocal", "tmp"))).toEqual([]);
  });

  // Root may write anywhere, so there is nothing to see.
  const asUserIt = process.getuid?.() === 0 ? undefined : it;
  asUserIt?.("is FORBIDDEN where it may not write", async () => {
    await chmod(folder, 0o500);
    await expect(store.put("a.bin", Buffer.from("x"))).rejects.toMatchObject({ code: "FORBIDDEN" });
    await chmod(folder, 0o700);
  });

  it("reads a folder that does not exist as empty", async () => {
    const absent = createFileStore(pathToFileURL(join(folder, "absent")).href);
    expect((await absent.list("")).objects).toEqual([]);
    await absent.delete("x");
    await expect(absent.get("x")).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await readdir(folder)).toEqual([]);
  });
});
