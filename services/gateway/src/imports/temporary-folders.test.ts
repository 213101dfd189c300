import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ownProcessMark } from "@parfocal/store";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTemporaryFolder, removeStaleFolders } from "./temporary-folders.ts";

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "parfocal-sweep-"));
  vi.stubEnv("TMPDIR", parent);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(parent, { recursive: true });
});

const [space] = ownProcessMark().split("-");
const LONG_AGO_S = Date.now() / 1000 - 25 * 3600;

/** Makes a folder with a file in it, both written at `timeS` (seconds since 1970). */
function folderOf(name: string, timeS = Date.now() / 1000): string {
  const file = join(parent, name, "slide.npy");
  mkdirSync(join(parent, name));
  writeFileSync(file, "x");
  for (const path of [file, join(parent, name)]) utimesSync(path, timeS, timeS);
  return file;
}

const remaining = async () => {
  await removeStaleFolders();
  return readdirSync(parent).sort();
};

describe("temporary folders of gateways", () => {
  it("of living ones stay", async () => {
    const own = await createTemporaryFolder("import");
    writeFileSync(join(own, "slide.npy"), "x");
    utimesSync(own, LONG_AGO_S, LONG_AGO_S);
    expect(await remaining()).toEqual([basename(own)]);
  });

  it("of dead ones go, whatever they were for", async () => {
    const { pid } = spawnSync("true");
    for (const kind of ["import", "upload", "inference"]) folderOf(`parfocal-${kind}-${space}-${pid}-123-abcdef`);
    expect(await remaining()).toEqual([]);
  });

  it("of one whose process id was given to a younger process go", async () => {
    folderOf(`parfocal-import-${space}-${process.pid}-1-abcdef`);
    expect(await remaining()).toEqual([]);
  });

  it.each(["parfocal-upload-other.123-1-1-abcdef", "parfocal-import-abcdef"])(
    "whose maker is not known stay for a day after the last write: %s",
    async (name) => {
      const file = folderOf(name, LONG_AGO_S);
      utimesSync(file, Date.now() / 1000, Date.now() / 1000);
      expect(await remaining()).toEqual([name]);
      utimesSync(file, LONG_AGO_S, LONG_AGO_S);
      expect(await remaining()).toEqual([]);
    },
  );

  it("are all that is removed", async () => {
    const names = ["else", "parfocal-upload-file", "parfocal-upload-link"];
    folderOf("else", LONG_AGO_S);
    writeFileSync(join(parent, "parfocal-upload-file"), "x");
    utimesSync(join(parent, "parfocal-upload-file"), LONG_AGO_S, LONG_AGO_S);
    symlinkSync(join(parent, "else"), join(parent, "parfocal-upload-link"));
    expect(await remaining()).toEqual(names);
  });

  it("are no reason to fail where there is no TMPDIR", async () => {
    vi.stubEnv("TMPDIR", join(parent, "absent"));
    await expect(removeStaleFolders()).resolves.toBeUndefined();
  });
});
