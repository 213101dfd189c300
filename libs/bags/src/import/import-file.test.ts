import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { encodeBag } from "../encode-bag.ts";
import { parseBag } from "../parse-bag.ts";
import { encodeSafetensors } from "../safetensors/encode-safetensors.ts";
import { h5Fixture, h5Fixtures } from "./hdf5/fixtures/read-fixture.ts";
import { importFile, importWithin } from "./import-file.ts";
import type { ImportOptions } from "./imported-bag.ts";
import { torchFixture } from "./torch/fixtures/read-fixture.ts";

/** A file of STAMP with three changed bytes, in which the HDF5 library goes round for ever. */
const CIRCLES =
  "H4sIAAAAAAACA+2VTU/CQBCGp1tKmooCiQnViz16Io0h0RiVEkA5GDHqwRsSrJFEKGmLIV7kiP/En+K/wn7M2g+NGC6aOM9lmO7uu7PLu7svrcbxqrKpgI8sQwYKEGeO6Goy5+03GAWMM4yvjH/PBm043FMP9WfZMG/hwKuLZtPvPU/B59EzYZSB+I+0mrVzP15jzv30xpL97syu63ixZ1n2rRP50lhyXgGkUEPg+XYYWfhBxH5ozy9yNRha1PLA8AQoEih5bJc8R/vtjIWCMq5MFLjV1VRFk1/9Hy7P2g3BWwm/JSbS9/35edVE8vAyvmIpX7FPvtpCr2lQkqH0vNBX6p/0VZG/C6n3I4cn19+vdW8V42Hf9fMNQQhGFD62UE68Q/5wXY7epkhHCXTc/oPZcfpPJp9fq6KCAZUVqMzF5LsWMjJy0EromBPX7vZcy8Yei+pSYnWxoC6utxboOW53MOo8mrbTt4Y/0JNieksesQrswT4cwCEcQRWMqQG1aS1qntbjv0/q7VMBsKDUfvuMB8lcwdjztmnojLrufbJWfn3slPWyHitqN093BEEQBEEQBEEQBEH8Fu/mmYsnMBgAAA==";

const folder = mkdtempSync(join(tmpdir(), "parfocal-bags-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe("importFile", () => {
  it("gives the same bytes for the same file and name, and a name of its own to each", async () => {
    const path = fileOf("slide.h5", h5Fixture("gigapath"));
    const [first, again] = [await Array.fromAsync(importFile(path)), await Array.fromAsync(importFile(path))];
    const bytes = first.map(({ bag }) => encodeBag(bag));
    expect(bytes).toEqual(again.map(({ bag }) => encodeBag(bag)));
    const [other] = await Array.fromAsync(importFile(fileOf("other.h5", h5Fixture("gigapath"))));
    expect(other?.bag.metadata).toMatchObject({ slideId: "other" });
    expect(other?.bag.metadata.sourceDigest).toBe(first[0]?.bag.metadata.sourceDigest);
  });

  it("goes by the name that it is given, whatever the path", async () => {
    const given = async (fileName: string, bytes: Uint8Array) =>
      await Array.fromAsync(importFile(fileOf("upload", bytes), { fileName }));
    const [named] = await Array.fromAsync(importFile(fileOf("slide.1.h5", h5Fixture("gigapath"))));
    const [spooled] = await given("slide.1.h5", h5Fixture("gigapath"));
    expect(spooled).toEqual(named);
    expect(spooled?.bag.metadata.slideId).toBe("slide.1");
    const csv = new TextEncoder().encode("1,a,1\n0,b,2\n");
    expect((await given("many.CSV", csv)).map(({ bag }) => bag.metadata.slideId)).toEqual(["a", "b"]);
    await expect(given("many", csv)).rejects.toMatchObject({ code: "UNSUPPORTED_FORMAT" });
    const canonical = spooled ? encodeBag(spooled.bag) : new Uint8Array();
    const [again] = await given("other.safetensors", canonical);
    expect(again?.bag.metadata.slideId).toBe("slide.1");
  });

  it("takes a canonical bag as it is", async () => {
    const [imported] = await Array.fromAsync(importFile(fileOf("a.h5", h5Fixture("clam"))));
    const bytes = imported ? encodeBag(imported.bag) : new Uint8Array();
    const [again] = await Array.fromAsync(importFile(fileOf("b.safetensors", bytes)));
    expect(again && encodeBag(again.bag)).toEqual(bytes);
    expect(again?.inferred).toMatchObject({ layout: "parfocal-bag", coordUnit: "level0_px" });
  });

  it("fills in the resolution of level 0 that a canonical bag lacks, and refuses another or one that cannot be used", async () => {
    const canonicalOf = async (name: string, options: ImportOptions = {}) => {
      const [imported] = await Array.fromAsync(importFile(fileOf("c.h5", h5Fixture(name)), options));
      return imported
        ? encodeBag({ ...imported.bag, metadata: { ...imported.bag.metadata, slideId: "s" } })
        : undefined;
    };
    const again = async (bytes: Uint8Array | undefined, level0Mpp: number) => {
      const path = fileOf("c.safetensors", bytes ?? new Uint8Array());
      return (await Array.fromAsync(importFile(path, { level0Mpp })))[0]?.bag.metadata.level0Mpp;
    };
    const lacking = await canonicalOf("clam");
    expect(await again(lacking, 0.25)).toBe(0.25);
    await expect(again(lacking, -1)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const known = await canonicalOf("clam", { level0Mpp: 0.25 });
    expect(await again(known, 0.252)).toBe(0.25);
    await expect(again(known, 0.5)).rejects.toMatchObject({
      code: "GEOMETRY_MISMATCH",
      message: expect.stringContaining("level0Mpp 0.5 was given, the file says 0.25") as string,
    });
    await expect(again(await canonicalOf("stamp-historic"), 0.5)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("count pixels of the encoded magnification") as string,
    });
  });

  it("gives the bags of a CSV one by one and may be left in the middle", async () => {
    const path = fileOf("many.csv", new TextEncoder().encode("1,a,1\n0,b,2\n1,c,3\n"));
    const names: string[] = [];
    for await (const { name } of importFile(path)) {
      names.push(name);
      if (name === "b") break;
    }
    expect(names).toEqual(["a", "b"]);
    expect(await Array.fromAsync(importFile(path), ({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  it.each([
    ["missing.h5", undefined, "NOT_FOUND"],
    ["empty.h5", new Uint8Array(), "TRUNCATED"],
    ["short.npy", Uint8Array.of(1), "TRUNCATED"],
    ["noise.pt", new Uint8Array(64).fill(1), "CORRUPT"],
    ["slide.svs", new Uint8Array(64).fill(1), "UNSUPPORTED_FORMAT"],
    ["vector.pt", torchFixture("zip-slide"), "SHAPE_MISMATCH"],
    ["nothing.pt", torchFixture("zip-empty"), "EMPTY_BAG"],
  ])("refuses %s", async (name, bytes, code) => {
    const path = bytes ? fileOf(name, bytes) : join(folder, name);
    await expect(Array.fromAsync(importFile(path))).rejects.toMatchObject({ name: "DomainError", code });
  });

  it("refuses one slide id for many bags, and a folder", async () => {
    const path = fileOf("two.csv", new TextEncoder().encode("1,a,1\n0,b,2\n"));
    await expect(Array.fromAsync(importFile(path, { slideId: "x" }))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(Array.fromAsync(importFile(folder))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("refuses texts that no bag may hold, by hint, by name and in a file written before they were bounded", async () => {
    const path = fileOf("plain.h5", h5Fixture("clam"));
    const long = { code: "INVALID_ARGUMENT", message: "bag metadata patient_id has 600 bytes, the bound is 512" };
    const control = { code: "INVALID_ARGUMENT", details: { field: "slide_id" } };
    const refuse = (file: string, options: ImportOptions) => expect(Array.fromAsync(importFile(file, options))).rejects;
    await refuse(path, { patientId: "P".repeat(600) }).toMatchObject(long);
    await refuse(path, { fileName: "a\nb.h5" }).toMatchObject(control);
    const old = encodeSafetensors(
      new Map([["features", { dtype: "F32", shape: [1, 1], data: new Uint8Array(4) } as const]]),
      { format: "parfocal-bag/1", patient_id: "P".repeat(600) },
    );
    expect(parseBag(old).metadata.patientId).toHaveLength(600);
    await refuse(fileOf("old.safetensors", old), {}).toMatchObject(long);
    expect(await Array.fromAsync(importFile(path))).toHaveLength(1);
  });

  it("never tells a path in its errors", async () => {
    const path = join(folder, "patient-name.h5");
    await expect(Array.fromAsync(importFile(path))).rejects.not.toThrow("patient-name");
  });
});

describe("a file that leads its reader in circles", () => {
  const circles = () => fileOf("circles.h5", new Uint8Array(gunzipSync(Buffer.from(CIRCLES, "base64"))));

  it("costs its thread and nothing else", async () => {
    let nTurns = 0;
    const turns = setInterval(() => (nTurns += 1), 10);
    await expect(Array.fromAsync(importWithin(circles(), {}, 600))).rejects.toMatchObject({ code: "CORRUPT" });
    clearInterval(turns);
    expect(nTurns).toBeGreaterThan(5);
    expect(await Array.fromAsync(importFile(fileOf("after.h5", h5Fixture("clam"))))).toHaveLength(1);
  });

  it("ends at once when the caller cancels", async () => {
    const controller = new AbortController();
    const imported = Array.fromAsync(importFile(circles(), { signal: controller.signal }));
    const outcome = expect(imported).rejects.toMatchObject({ code: "CANCELLED" });
    await sleep(300);
    controller.abort();
    await outcome;
  });
});

describe("a damaged HDF5 file", () => {
  const allowed =
    /^(EMPTY_BAG|NON_FINITE|SHAPE_MISMATCH|GEOMETRY_MISMATCH|UNSUPPORTED_FORMAT|INVALID_ARGUMENT|CORRUPT|TRUNCATED)$/u;
  const fixtures = [...h5Fixtures()];
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });

  it("is imported or refused for a reason, whatever bytes changed and wherever it was cut", async () => {
    const damage = fc.record({ index: fc.nat({ max: fixtures.length - 1 }), flips, end: fc.option(fc.nat()) });
    await fc.assert(
      fc.asyncProperty(damage, async ({ index, flips: changes, end }) => {
        const bytes = new Uint8Array(fixtures[index]?.[1] ?? new Uint8Array());
        for (const [at, mask] of changes) bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ mask;
        const path = fileOf("damaged.h5", end === null ? bytes : bytes.subarray(0, end % bytes.length));
        const code = await Array.fromAsync(importWithin(path, {}, 2_000)).then(
          () => "CORRUPT",
          (error: { code?: unknown }) => error.code,
        );
        expect(code).toMatch(allowed);
      }),
      { numRuns: 12, seed: 3 },
    );
  });
});
