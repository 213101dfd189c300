import { execFileSync } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FileToWrite, writeFiles } from "./write-files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-write-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const diskFull = () => Object.assign(new Error("ENOSPC"), { code: "ENOSPC", errno: -28, syscall: "write" });

async function* piecesThenError(error: Error): AsyncIterable<Uint8Array> {
  yield Buffer.from("half of it");
  throw error;
}

describe("writing files", () => {
  it("takes text, bytes and pieces, and leaves nothing else", async () => {
    async function* pieces() {
      yield Buffer.from("in ");
      yield Buffer.from("pieces");
    }
    await writeFiles([
      { path: at("text"), content: "text" },
      { path: at("bytes"), content: Uint8Array.of(98, 121) },
      { path: at("pieces"), content: pieces() },
    ]);
    expect((await readdir(folder)).sort()).toEqual(["bytes", "pieces", "text"]);
    const read = await Promise.all(["text", "bytes", "pieces"].map((name) => readFile(at(name), "utf8")));
    expect(read).toEqual(["text", "by", "in pieces"]);
  });

  it("leaves all files of before when one cannot be written, and tells why", async () => {
    for (const name of ["first", "second"]) await writeFile(at(name), "good");
    const second = { path: at("second"), content: piecesThenError(diskFull()), option: "--out" };
    await expect(writeFiles([{ path: at("first"), content: "new" }, second])).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: `--out ${at("second")} cannot be written: no space left on device (ENOSPC)`,
    });
    expect((await readdir(folder)).sort()).toEqual(["first", "second"]);
    for (const name of ["first", "second"]) expect(await readFile(at(name), "utf8")).toBe("good");
  });

  it("leaves the files of before when a name cannot be taken", async () => {
    await mkdir(at("taken"));
    const file = { path: at("taken"), content: "x" };
    const message = `${at("taken")} cannot be written: illegal operation on a directory (EISDIR)`;
    await expect(writeFiles([file])).rejects.toMatchObject({ code: "PRECONDITION_FAILED", message });
    expect(await readdir(folder)).toEqual(["taken"]);
  });

  it("keeps errors that are not of the file system", async () => {
    const error = new DomainError("NOT_FOUND", "the result is gone");
    await expect(writeFiles([{ path: at("a"), content: piecesThenError(error) }])).rejects.toBe(error);
    function* failing(): Iterable<FileToWrite> {
      yield { path: at("a"), content: "a" };
      throw error;
    }
    await expect(writeFiles(failing())).rejects.toBe(error);
    expect(await readdir(folder)).toEqual([]);
  });

  it("replaces what a link means, with its permissions", async () => {
    await mkdir(at("elsewhere"));
    await writeFile(at("elsewhere/private"), "old");
    await chmod(at("elsewhere/private"), 0o600);
    await symlink(at("elsewhere/private"), at("link"));
    await writeFiles([{ path: at("link"), content: "new" }]);
    expect((await lstat(at("link"))).isSymbolicLink()).toBe(true);
    expect(await readFile(at("elsewhere/private"), "utf8")).toBe("new");
    expect((await stat(at("elsewhere/private"))).mode & 0o777).toBe(0o600);
  });

  it("writes into a pipe, which stays one", async () => {
    execFileSync("mkfifo", [at("pipe")]);
    const read = readFile(at("pipe"), "utf8");
    await writeFiles([{ path: at("pipe"), content: "through" }]);
    expect(await read).toBe("through");
    expect((await stat(at("pipe"))).isFIFO()).toBe(true);
  });
});
