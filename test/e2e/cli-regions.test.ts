import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMagnificationH5 } from "../../cli/src/cohort/encode-h5.ts";
import { plantMagnified } from "../../cli/src/cohort/planted-magnifications.ts";
import { type CliRun, runCli, startCli } from "../lib/run-cli.ts";

const slides = plantMagnified(10, 2, 5n);
const HEAD = ["--attention-width", "8", "--validation", "0.2", "--test", "0.3", "--epochs", "2", "--lr", "1e-3"];

let folder: string;
let up: CliRun;
let run: (...args: string[]) => ReturnType<typeof runCli>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-cli-"));
  for (const { slideId, magnifications } of slides) {
    for (const tiles of magnifications) {
      await mkdir(join(folder, tiles.name), { recursive: true });
      await writeFile(join(folder, tiles.name, `${slideId}.h5`), await encodeMagnificationH5(tiles));
    }
  }
  const rows = slides.map(({ slideId, label }, i) => `${slideId},${slideId},G${Math.floor(i / 2)},${label}`);
  await writeFile(join(folder, "labels.csv"), `slide_id,patient_id,group_id,label\n${rows.join("\n")}\n`);
  up = startCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
  const [line] = await up.waitFor(/\{"event":"ready".*\}/);
  const { gateway } = JSON.parse(line) as { gateway: string };
  run = (...args) => runCli([...args, "--gateway", gateway, "--json"], folder);
});
afterAll(async () => {
  up?.process.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

interface GeoJson {
  readonly features: readonly {
    readonly geometry: { readonly coordinates: readonly [readonly (readonly number[])[]] };
  }[];
}

describe("regions and mixers by the command line", () => {
  it("builds regions of files of one name, a line for each slide", async () => {
    const { code, records, stderr } = await run("regions", "build", "5x", "10x", "20x");
    expect(code, stderr).toBe(0);
    const built = records.filter(({ slide }) => slide !== undefined);
    expect(built.map(({ slide }) => slide).sort()).toEqual(slides.map(({ slideId }) => slideId));
    for (const each of built) {
      expect(each).toMatchObject({ n: 336, levels: 3, tileCounts: [16, 64, 256], cellCount: 16, fullCellCount: 16 });
    }
    const shown = await run("bags", "get", String(built[0]?.digest));
    expect(shown.records).toMatchObject([{ levels: 3, importer: "parfocal-regions/2" }]);
  });

  it("joins a slide that lacks its coarsest and its finest magnification where all are named", async () => {
    const { code, records, stderr } = await run("regions", "build", "10x/M003.h5", "--level-mpps", "5x,10x,20x");
    expect(code, stderr).toBe(0);
    const [built] = records.filter(({ slide }) => slide !== undefined);
    expect(built).toMatchObject({ slide: "M003", n: 64, levels: 3, tileCounts: [0, 64, 0], cellCount: 16 });
    // Its other region bag is what the tests below learn from.
    expect((await run("bags", "delete", String(built?.digest))).code).toBe(0);
    const wrong = await run("regions", "build", "10x/M003.h5", "--level-mpps", "5x,20x");
    expect(wrong.stderr).toContain("options.level_mpps[1] is 0.5; it is half the one before (1)");
    expect(wrong.code).toBeGreaterThan(0);
  });

  it("makes up the coarsest magnification of a slide that lacks it when asked to, and says so wherever the bag is shown", async () => {
    const files = ["10x/M004.h5", "20x/M004.h5", "--level-mpps", "5x,10x,20x", "--surrogate-levels"];
    const { code, records, stderr } = await run("regions", "build", ...files);
    expect(code, stderr).toBe(0);
    const [built] = records.filter(({ slide }) => slide !== undefined);
    expect(built).toMatchObject({ slide: "M004", n: 336, tileCounts: [16, 64, 256], surrogateLevels: [0] });
    expect(stderr).toContain("1 of 1 region bag with magnifications made up of finer tiles (*)");
    const digest = String(built?.digest);
    expect((await run("bags", "get", digest)).records).toMatchObject([{ levels: 3, surrogateLevels: "0" }]);
    const listed = (await run("bags", "list")).records.filter(({ surrogateLevels }) => surrogateLevels !== "");
    expect(listed).toMatchObject([{ digest }]);

    // With the bags of the other slides, whose coarse tiles are real, it takes a word.
    const head = ["--reembed", "levels", "--levels", "0", ...HEAD.slice(0, -4), "--epochs", "1"];
    const real = (await run("bags", "list")).records.filter((bag) => bag.slide === "M004" && bag.levels === 3);
    const other = real.find((bag) => bag.digest !== digest);
    expect((await run("bags", "delete", String(other?.digest))).code).toBe(0);
    const mixed = await run("train", "--model", "mixed", "--labels", "labels.csv", ...head);
    expect(mixed.code).toBeGreaterThan(0);
    expect(mixed.stderr).toContain(
      `magnification 0 (0: the coarsest) is made up in 1 of 10 bags (${digest.slice(0, 12)}) and not in the others`,
    );
    const word = ["--set", "recipe.mixSurrogateLevels=true"];
    const asked = await run("train", "--model", "mixed", "--labels", "labels.csv", ...head, ...word);
    expect(asked.code, asked.stderr).toBe(0);

    // What the tests below learn from is as it was.
    expect((await run("bags", "delete", digest)).code).toBe(0);
    expect((await run("regions", "build", "5x/M004.h5", "10x/M004.h5", "20x/M004.h5")).code).toBe(0);
  });

  it("refuses to make up the finest magnification, slide by slide", async () => {
    const files = ["5x/M005.h5", "10x/M005.h5", "--level-mpps", "5x,10x,20x", "--surrogate-levels"];
    const { code, records } = await run("regions", "build", ...files);
    expect(code).toBe(1);
    expect(records.filter(({ slide }) => slide !== undefined)).toMatchObject([
      {
        slide: "M005",
        error: { code: "GEOMETRY_MISMATCH", message: expect.stringContaining("cannot be made up") as string },
      },
    ]);
  });

  it("exits 1 and says why for a slide that is refused, and goes on with the others", async () => {
    const shifted = slides[0]?.magnifications[2];
    if (shifted === undefined) throw new Error("the slide has no 20x");
    await mkdir(join(folder, "bad"));
    const coords = shifted.coords.map((value) => value + 112);
    await writeFile(join(folder, "bad/M001.h5"), await encodeMagnificationH5({ ...shifted, coords }));
    const { code, records } = await run("regions", "build", "5x/M001.h5", "10x/M001.h5", "bad", "M002", "nobody");
    expect(code).toBe(1);
    const outcomes = records.filter((record) => "slide" in record || "path" in record);
    expect(outcomes).toMatchObject([
      { path: "nobody", error: { code: "NOT_FOUND" } },
      { slide: "M001", error: { code: "GEOMETRY_MISMATCH" } },
      { slide: "M002", cellCount: 16 },
    ]);
  });

  it("pretrains on every region bag, shows how it goes, and fine-tunes from the mixer without repeating it", async () => {
    const tiny = ["regionTiles=2", "width=16", "heads=2", "depth=1"].flatMap((value) => ["--set", `mixer.${value}`]);
    const length = ["--regions", "128", "--batch-regions", "16", "--ratio", "0.5", "--validation", "0.2"];
    const decoder = ["--set", "masked.decoderWidth=32", "--set", "masked.decoderDepth=1"];
    const pretrained = await run("pretrain", "--model", "mixer", "--all-regions", ...length, ...tiny, ...decoder);
    expect(pretrained.code, pretrained.stderr).toBe(0);
    expect(pretrained.records.some(({ phase }) => /^update \d+ of 8$/.test(String(phase)))).toBe(true);
    const mixer = pretrained.records.at(-1);
    expect(mixer).toMatchObject({ reembedder: "region-mixer", last: { update: 8, updateCount: 8, regionsSeen: 128 } });

    const start = [
      "--start-from",
      "mixer",
      "--reembed",
      "region-mixer",
      "--frozen-epochs",
      "1",
      "--layer-decay",
      "0.75",
    ];
    const groups = ["--groups", "min-loss", "--mixer-output", "compressed"];
    const train = (model: string, ...options: string[]) =>
      run("train", "--model", model, "--labels", "labels.csv", ...HEAD, ...options);
    const tuned = await train("tuned", ...start, ...groups);
    expect(tuned.code, tuned.stderr).toBe(0);
    const shown = await run("models", "get", "tuned");
    expect(shown.records.at(-1)).toMatchObject({
      config: { reembed: { kind: "region-mixer", width: 16, regionTiles: 2, output: "compressed" } },
    });
    const scored = await run("predict", "--model", "tuned", "--all");
    expect(scored.records.map(({ slide }) => slide).sort()).toEqual(slides.map(({ slideId }) => slideId));
    expect(scored.code).toBe(0);

    const baseline = await train("coarse", "--reembed", "levels", "--levels", "0");
    expect(baseline.code, baseline.stderr).toBe(0);
    const maps = await run("predict", "--model", "coarse", "M001", "--geojson", "maps");
    expect(maps.code, maps.stderr).toBe(0);
    const ofRegions = await run("predict", "--model", "tuned", "M002", "--geojson", "maps");
    expect(ofRegions.code, ofRegions.stderr).toBe(0);
    const squares = async (slide: string) => {
      const { features } = JSON.parse(await readFile(join(folder, `maps/${slide}.geojson`), "utf8")) as GeoJson;
      return features.map(
        ({ geometry: { coordinates } }) => (coordinates[0][1]?.[0] ?? 0) - (coordinates[0][0]?.[0] ?? 0),
      );
    };
    const all = await train("all", "--reembed", "levels", "--levels", "0,1,2");
    expect(all.code, all.stderr).toBe(0);
    expect((await run("predict", "--model", "all", "M003", "--geojson", "maps")).code).toBe(0);
    // One square for each coarse tile, for each region of 2 × 2, and again for each coarse tile with all that lies within it.
    expect(await squares("M001")).toEqual(new Array(16).fill(1792));
    expect(await squares("M002")).toEqual(new Array(4).fill(2 * 1792));
    expect(await squares("M003")).toEqual(new Array(16).fill(1792));
    const nothing = await run("predict", "--model", "mixer", "M003");
    expect(nothing.records).toMatchObject([{ error: { code: "PRECONDITION_FAILED" } }]);
  });

  it.each([
    ["regions of nothing", ["regions", "build"]],
    ["a pretraining on nothing", ["pretrain", "--model", "m"]],
    [
      "a source without the contrastive objective",
      ["pretrain", "--model", "m", "--all-regions", "--source-tiles", "5"],
    ],
    ["named levels that do not get finer", ["regions", "build", "10x", "--level-mpps", "20x,10x"]],
    ["named levels that are no numbers", ["regions", "build", "10x", "--level-mpps", "5x,ten"]],
    ["made-up levels that nobody named", ["regions", "build", "10x", "--surrogate-levels"]],
    ["levels that do not rise", ["pretrain", "--model", "m", "--all-regions", "--levels", "2,1"]],
    ["levels without magnifications", ["train", "--model", "m", "--labels", "l.csv", "--levels", "1"]],
  ])("exits 2 for %s", async (_, args) => {
    expect((await run(...args)).code).toBe(2);
  });
});
