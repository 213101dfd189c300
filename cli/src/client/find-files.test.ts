import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { GatewayClients } from "./clients.ts";
import { findFiles } from "./find-files.ts";
import { importFiles } from "./import-files.ts";

vi.mock("node:fs/promises", async (load) => {
  const real = await load<typeof import("node:fs/promises")>();
  return { ...real, stat: vi.fn(real.stat) };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-find-"));
  await mkdir(join(folder, "b"));
  for (const name of ["c.npy", "a.npy", "b/d.h5", "notes.txt", "labels.csv"])
    await writeFile(join(folder, name), "1234");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A path below the folder, of bytes that are not UTF-8. */
function latin1(name: string): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]);
}

describe("findFiles", () => {
  it("gives what may be a bag below a folder, sorted, and a file whatever its ending", async () => {
    const notes = join(folder, "notes.txt");
    expect(await findFiles([folder, notes])).toEqual(
      ["a.npy", "b/d.h5", "c.npy", "notes.txt"].map((name) => ({ path: join(folder, name), sizeBytes: 4 })),
    );
  });

  it("says of a file and a folder whose names are not UTF-8 that they are not, and gives the others", async () => {
    await writeFile(latin1("a-é.npy"), "1234");
    await mkdir(latin1("é"));
    const found = await findFiles([folder]);
    expect(found.map(({ path, problem }) => [path.slice(folder.length + 1), problem?.message])).toEqual([
      ["a-\uFFFD.npy", "its name is not UTF-8; rename it"],
      ["a.npy", undefined],
      ["b/d.h5", undefined],
      ["c.npy", undefined],
      ["\uFFFD", "its name is not UTF-8; rename it"],
    ]);
  });

  it("says of a file that vanished since the folder was listed that it did, and gives the others", async () => {
    const real = vi.mocked(stat).getMockImplementation() as typeof stat;
    vi.mocked(stat).mockImplementation((async (path: string) => {
      if (path.endsWith("c.npy")) await rm(path);
      return real(path);
    }) as typeof stat);
    const found = await findFiles([folder]);
    vi.mocked(stat).mockImplementation(real);
    expect(found.map(({ problem }) => problem?.code)).toEqual([undefined, undefined, "NOT_FOUND"]);
  });

  it("refuses a path that is not there, and says when its name cannot have come through", async () => {
    await expect(findFiles([join(folder, "x.npy")])).rejects.toThrow(/there is no file or folder .*x\.npy$/);
    await expect(findFiles([join(folder, "\uFFFD.npy")])).rejects.toThrow("whose name is not UTF-8");
  });
});

it("importing gives a failure for a file that cannot be read, without a call", async () => {
  await writeFile(latin1("é.npy"), "1234");
  await rm(join(folder, "b"), { recursive: true });
  const uploadBag = vi
    .fn()
    .mockResolvedValue({ bags: [{ path: "", inferred: {}, existed: false, result: undefined }] });
  const clients = { bags: { uploadBag } } as unknown as GatewayClients;
  const options = { parent: "projects/p", signal: new AbortController().signal };
  const outcomes = (await importFiles(clients, await findFiles([folder]), options)).flat();
  expect(outcomes[2]).toEqual({
    kind: "error",
    path: join(folder, "\uFFFD.npy"),
    code: "INVALID_ARGUMENT",
    message: "its name is not UTF-8; rename it",
  });
  expect(uploadBag).toHaveBeenCalledTimes(2);
});
