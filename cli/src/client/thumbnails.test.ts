import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { createPicture, encodePng } from "../report/picture.ts";
import { assertThumbnailOptions, openThumbnails } from "./thumbnails.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-thumbnails-"));
  await writeFile(join(folder, "slide-1.png"), encodePng(createPicture(100, 50, [200, 200, 200])));
  await writeFile(join(folder, "notes.txt"), "no picture");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("thumbnails", () => {
  it.each([
    ["a size", { thumbnailSize: [3200, 1610] as const }, { x: 32, y: 32.2 }],
    ["a downsampling", { thumbnailDownsample: 16 }, { x: 16, y: 16 }],
    ["two resolutions", { thumbnailMpp: 8, level0Mpp: 0.25 }, { x: 32, y: 32 }],
  ])("get their scale from %s", async (_, options, scale) => {
    const find = await openThumbnails({ thumbnail: join(folder, "slide-1.png"), ...options }, 1);
    expect((await find?.("whatever"))?.scale).toEqual(scale);
  });

  it("of a folder belong to the slide of their name, whatever ending either has", async () => {
    const find = await openThumbnails({ thumbnail: folder, thumbnailDownsample: 8 }, 2);
    expect((await find?.("slide-1.svs"))?.picture.width).toBe(100);
    expect(await find?.("slide-2")).toBeUndefined();
    expect(await openThumbnails({}, 2)).toBeUndefined();
  });

  it.each([
    ["a file for several slides", "slide-1.png", { thumbnailDownsample: 8 }, 2],
    ["one size for a folder", ".", { thumbnailSize: [1, 1] as const }, 2],
    ["a file that is not there", "slide-2.png", { thumbnailDownsample: 8 }, 1],
  ])("are refused: %s", async (_, name, options, nSlides) => {
    await expect(openThumbnails({ thumbnail: join(folder, name), ...options }, nSlides)).rejects.toThrow(UsageError);
  });

  it.each([
    ["no scale", { thumbnail: "a.png" }],
    ["two scales", { thumbnail: "a.png", thumbnailDownsample: 8, thumbnailSize: [1, 1] as const }],
    ["half a ratio", { thumbnail: "a.png", thumbnailMpp: 8 }],
    ["no picture", { thumbnailDownsample: 8 }],
  ])("need one way to their scale, not %s", (_, options) => {
    expect(() => assertThumbnailOptions(options)).toThrow(UsageError);
  });
});
