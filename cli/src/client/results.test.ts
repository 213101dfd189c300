import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GatewayClients } from "./clients.ts";
import { downloadResults } from "./results.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-results-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A gateway that has `predictions.csv` whole and loses the rest on the way. */
function clientsOf(asked: string[]): GatewayClients {
  async function* downloadResult({ file }: { file?: string }) {
    asked.push(String(file));
    yield { chunk: Buffer.from("new ") };
    if (file !== "predictions.csv") throw new DomainError("UNREACHABLE", "the gateway went away");
    yield { chunk: Buffer.from("rows") };
  }
  return { watching: { downloadResult } } as unknown as GatewayClients;
}

const wanted = () => ({ name: "projects/p/operations/o", signal: new AbortController().signal, option: "--out" });

describe("downloaded results", () => {
  it("lie in the folder, which is made", async () => {
    const place = join(folder, "new/deep");
    const options = { ...wanted(), files: ["predictions.csv"], folder: place };
    expect(await downloadResults(clientsOf([]), options)).toEqual([join(place, "predictions.csv")]);
    expect(await readFile(join(place, "predictions.csv"), "utf8")).toBe("new rows");
  });

  it("replace those of before only when all have come", async () => {
    const files = ["predictions.csv", "patients.csv", "failures.csv"];
    for (const file of files) await writeFile(join(folder, file), "old");
    const asked: string[] = [];
    await expect(downloadResults(clientsOf(asked), { ...wanted(), files, folder })).rejects.toMatchObject({
      code: "UNREACHABLE",
    });
    expect(asked).toEqual(["predictions.csv", "patients.csv"]);
    expect((await readdir(folder)).sort()).toEqual([...files].sort());
    for (const file of files) expect(await readFile(join(folder, file), "utf8")).toBe("old");
  });

  it("name the option of a folder that cannot be made", async () => {
    await writeFile(join(folder, "afile"), "");
    const options = { ...wanted(), files: ["predictions.csv"], folder: join(folder, "afile") };
    await expect(downloadResults(clientsOf([]), options)).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: `--out ${join(folder, "afile")} cannot be written: file already exists (EEXIST)`,
    });
  });
});
