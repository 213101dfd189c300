import { readdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { DomainError } from "@parfocal/errors";
import { afterEach, describe, expect, it, vi } from "vitest";
import { withSpooledUpload } from "./spool-upload.ts";

const { signal } = new AbortController();

async function* chunksOf(...chunks: (string | Error)[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) {
    if (chunk instanceof Error) throw chunk;
    yield await Promise.resolve(Buffer.from(chunk));
  }
}

/** An error as the file system gives it. */
function systemError(code: string): Error {
  const message = `${code}: told by the system, write '/tmp/parfocal-upload-x/slide-4711.npy'`;
  return Object.assign(new Error(message), { code, syscall: "write", errno: -1 });
}

describe("a spooled upload", () => {
  afterEach(() => void vi.unstubAllEnvs());

  it("is there with every byte while it is worked with, under a name of ours, and gone after", async () => {
    const spool = await withSpooledUpload(chunksOf("ab", "c"), signal, async (path) => {
      expect(await readFile(path, "utf8")).toBe("abc");
      return path;
    });
    expect(basename(spool)).toBe("upload");
    await expect(readdir(dirname(spool))).rejects.toThrow("ENOENT");
  });

  it("ends with the error of the work or of the chunks, and is gone", async () => {
    const failed = withSpooledUpload(chunksOf("a"), signal, () => Promise.reject(new Error("no bag")));
    await expect(failed).rejects.toThrow("no bag");
    const truncated = new DomainError("TRUNCATED", "too few bytes");
    await expect(withSpooledUpload(chunksOf("a", truncated), signal, async () => 1)).rejects.toBe(truncated);
  });

  it.each([
    ["ENOSPC", "RESOURCE_EXHAUSTED"],
    ["EDQUOT", "RESOURCE_EXHAUSTED"],
    ["EIO", "UNREACHABLE"],
    ["EACCES", "INTERNAL"],
  ])("says %s as %s, without the path", async (system, code) => {
    const error = await withSpooledUpload(chunksOf("a", systemError(system)), signal, async () => 1).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code, message: `could not keep the file for its import: ${system}` });
    expect((error as DomainError).cause).toBeUndefined();
  });

  it("says so too when the folder for it is missing", async () => {
    vi.stubEnv("TMPDIR", "/nowhere/slide-4711");
    const refused = withSpooledUpload(chunksOf("a"), signal, async () => 1);
    const message = "could not keep the file for its import: ENOENT";
    await expect(refused).rejects.toMatchObject({ code: "INTERNAL", message });
  });
});
