import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cleanTempFiles, createTempName, tempFolderOf } from "./temp-files.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "parfocal-temp-"));
  await mkdir(tempFolderOf(root), { recursive: true });
});
afterEach(() => rm(root, { recursive: true }));

const remaining = async (...names: string[]) => {
  for (const name of names) await writeFile(join(tempFolderOf(root), name), "x");
  cleanTempFiles(root);
  return readdir(tempFolderOf(root));
};

describe("temporary files", () => {
  it("of living processes stay", async () => {
    const name = createTempName();
    expect(await remaining(name)).toEqual([name]);
  });

  it("of dead processes go", async () => {
    const { pid } = spawnSync("true");
    const [space] = createTempName().split("-");
    expect(await remaining(`${space}-${pid}-123-abc`)).toEqual([]);
  });

  it("of a process whose id was given to a younger one go", async () => {
    const [space] = createTempName().split("-");
    expect(await remaining(`${space}-${process.pid}-1-abc`)).toEqual([]);
  });

  it("of another machine or container stay for a day", async () => {
    const name = "other.123-1-1-abc";
    expect(await remaining(name)).toEqual([name]);
    const long = Date.now() / 1000 - 25 * 3600;
    await utimes(join(tempFolderOf(root), name), long, long);
    expect(await remaining()).toEqual([]);
  });

  it("are no reason to fail where there is no folder", () => {
    expect(() => cleanTempFiles(join(root, "absent"))).not.toThrow();
  });
});
