import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseBag } from "@parfocal/bags";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeMagnificationH5 } from "../../cli/src/cohort/encode-h5.ts";
import { plantMagnified } from "../../cli/src/cohort/planted-magnifications.ts";
import { type CliRun, runCli, startCli } from "../lib/run-cli.ts";

const slides = plantMagnified(4, 2, 5n);
/** Features of a token, and tokens of a region's class. */
const [WIDTH, CLASS_TOKENS] = [16, 4];
/** Level-0 pixels of a coarse tile. */
const COARSE_PX = 1792;

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
  up = startCli(["up", "--port", "0", "--json", "--store", "file:served"], folder);
  const [line] = await up.waitFor(/\{"event":"ready".*\}/);
  const { gateway } = JSON.parse(line) as { gateway: string };
  run = (...args) => runCli([...args, "--gateway", gateway, "--json"], folder);
  expect((await run("regions", "build", "5x", "10x", "20x")).code).toBe(0);
});
afterAll(async () => {
  up?.process.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Pretrains a tiny mixer that looks at regions of 2 × 2 coarse tiles. */
async function pretrain(model: string, output: "contextualised" | "compressed"): Promise<void> {
  const values = [
    ...["mixer.regionTiles=2", `mixer.width=${WIDTH}`, "mixer.heads=2", "mixer.depth=1", `mixer.output=${output}`],
    ...["masked.decoderWidth=32", "masked.decoderDepth=1"],
  ];
  const settings = values.flatMap((value) => ["--set", value]);
  const length = ["--regions", "32", "--batch-regions", "16", "--validation", "0"];
  const { code, stderr } = await run("pretrain", "--model", model, "--all-regions", ...length, ...settings);
  expect(code, stderr).toBe(0);
}

async function read(path: string) {
  return parseBag(await readFile(join(folder, path)));
}

describe("what a pretrained mixer makes of region bags", () => {
  it("are its tiles, or the class tokens of every region, whichever it was pretrained for", async () => {
    await pretrain("tokens", "contextualised");
    const [slide = ""] = slides.map(({ slideId }) => slideId);
    const ofTiles = await run("reembed", "--model", "tokens", "--all", "--output", "tokens");
    expect(ofTiles.code, ofTiles.stderr).toBe(0);
    expect(ofTiles.records.map((record) => record.slide).sort()).toEqual(slides.map(({ slideId }) => slideId));
    expect(ofTiles.records[0]).toMatchObject({ shape: [336, WIDTH], dtype: "f32", coordinates: true });
    const tiles = await read(`tokens/${slide}.safetensors`);
    expect(tiles).toMatchObject({ n: 336, d: WIDTH, metadata: { slideId: slide, levelCount: 3 } });
    expect(new Set(tiles.level)).toEqual(new Set([0, 1, 2]));

    await pretrain("classes", "compressed");
    const ofRegions = await run("reembed", "--model", "classes", slide, "--output", "classes", "--dtype", "f16");
    expect(ofRegions.records, ofRegions.stderr).toMatchObject([{ shape: [4, CLASS_TOKENS * WIDTH], dtype: "f16" }]);
    const regions = await read(`classes/${slide}.safetensors`);
    expect(regions).toMatchObject({ n: 4, d: CLASS_TOKENS * WIDTH, features: { dtype: "F16" } });
    const corners = Array.from({ length: 4 }, (_, i) => [...(regions.coords?.subarray(2 * i, 2 * i + 2) ?? [])]);
    const [x = 0, y = 0] = corners[0] ?? [];
    const side = 2 * COARSE_PX;
    expect(corners).toEqual(
      expect.arrayContaining([
        [x, y],
        [x + side, y],
        [x, y + side],
        [x + side, y + side],
      ]),
    );
  });
});
