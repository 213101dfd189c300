import { parquetReadObjects } from "hyparquet";
import { describe, expect, it } from "vitest";
import { attentionGeoJson } from "./attention-geojson.ts";
import { colourOf } from "./colormap.ts";
import {
  encodePredictionsCsv as encodeCsv,
  encodePredictionsJson,
  encodePredictionsParquet,
} from "./predictions-file.ts";
import type { PredictionRow } from "./report-data.ts";

const row = (slide: string, extra: Partial<PredictionRow> = {}): PredictionRow => ({
  slide,
  patient: "p1",
  truth: "tumour",
  decision: "normal",
  probabilities: { normal: 0.625, tumour: 0.375 },
  threshold: 0.5,
  model: "projects/a/models/b/versions/1",
  ...extra,
});

const encodePredictionsCsv = (...args: Parameters<typeof encodeCsv>): string =>
  new TextDecoder().decode(encodeCsv(...args));

/** A plain RFC 4180 reader, to prove that what was written can be read. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

describe("encodePredictionsCsv", () => {
  it("writes a header, one line per slide, and full precision", () => {
    expect(encodePredictionsCsv([row("s1", { probabilities: { normal: 1 / 3, tumour: 2 / 3 } })])).toBe(
      "slide,patient,truth,decision,probability_normal,probability_tumour,threshold,model,error\r\n" +
        "s1,p1,tumour,normal,0.3333333333333333,0.6666666666666666,0.5,projects/a/models/b/versions/1,\r\n",
    );
  });

  it("reads back whatever a slide or class is called", () => {
    const names = ['with "quotes", commas', "two\r\nlines", " spaced ", "Ünï 腫瘍 😀"];
    const csv = encodePredictionsCsv(names.map((name) => row(name, { probabilities: { 'a,"b"': 1 } })));
    const parsed = parseCsv(csv);
    expect(parsed.slice(1).map(([slide]) => slide)).toEqual(names);
    expect(parsed[0]?.[4]).toBe('probability_a,"b"');
  });

  it("defuses formulas in text, leaves numbers alone, and can be told not to", () => {
    const formula = '=HYPERLINK("http://x","y")';
    const cells = (isFormulaSafe: boolean) =>
      parseCsv(encodePredictionsCsv([row(formula, { threshold: -0.5 })], { isFormulaSafe }))[1];
    expect(cells(true)?.[0]).toBe(`'${formula}`);
    expect(cells(true)?.[6]).toBe("-0.5");
    expect(cells(false)?.[0]).toBe(formula);
  });

  it("leaves cells empty for a failed or unlabelled slide and gives the reason", () => {
    const failed = row("s2", {
      truth: null,
      decision: null,
      probabilities: null,
      threshold: null,
      error: { code: "EMPTY_BAG", message: "0 tiles" },
    });
    expect(parseCsv(encodePredictionsCsv([row("s1"), failed]))[2]).toEqual([
      "s2",
      "p1",
      "",
      "",
      "",
      "",
      "",
      "projects/a/models/b/versions/1",
      "EMPTY_BAG: 0 tiles",
    ]);
  });
});

describe("predictions of other tasks", () => {
  it("have numbers and times beside what is known of them, and the fold", () => {
    const numbers = row("s1", { probabilities: null, decision: null, values: { age: 61.5 }, trueValues: { age: 60 } });
    const survival = row("s2", { probabilities: null, risk: -0.25, outcome: { time: 12, event: false }, fold: "1.2" });
    const [heading, first, second] = parseCsv(encodePredictionsCsv([numbers, survival]));
    expect(heading?.slice(4, -3)).toEqual(["fold", "value_age", "true_value_age", "risk", "time", "event"]);
    expect(first?.slice(4, -3)).toEqual(["", "61.5", "60", "", "", ""]);
    expect(second?.slice(4, -3)).toEqual(["1.2", "", "", "-0.25", "12", "false"]);
  });
});

describe("predictions of several labels", () => {
  it("say which labels are not known, as a table of labels does, and what decided each", async () => {
    const rows = [
      row("s1", { truth: "", unknown: ["normal"], threshold: null, thresholds: { normal: 0.25, tumour: 0.75 } }),
      row("s2", { truth: "normal", unknown: ["tumour"], threshold: null }),
      row("s3", { truth: "", threshold: null }),
    ];
    const [heading, ...lines] = parseCsv(encodePredictionsCsv(rows));
    expect(heading?.slice(-5)).toEqual(["threshold", "threshold_normal", "threshold_tumour", "model", "error"]);
    expect(lines.map((cells) => cells[2])).toEqual(["?normal", "normal; ?tumour", ""]);
    expect(lines[0]?.slice(-5, -2)).toEqual(["", "0.25", "0.75"]);
    const read = await parquetReadObjects({ file: encodePredictionsParquet(rows).slice().buffer });
    expect(read).toMatchObject([
      { truth: "?normal", threshold_tumour: 0.75 },
      { truth: "normal; ?tumour" },
      { truth: "" },
    ]);
  });
});

describe("predictions of slides that were decided together", () => {
  it("name all of them", () => {
    const rows = [row("s1", { slides: ["s1", "s2", "s3"] }), row("s4")];
    const [heading, ...lines] = parseCsv(encodePredictionsCsv(rows));
    expect(heading?.slice(0, 3)).toEqual(["slide", "slides", "patient"]);
    expect(lines.map((cells) => cells.slice(0, 3))).toEqual([
      ["s1", "s1; s2; s3", "p1"],
      ["s4", "s4", "p1"],
    ]);
    expect(JSON.parse(encodePredictionsJson(rows))).toMatchObject([
      { slide: "s1", slides: ["s1", "s2", "s3"] },
      { slide: "s4" },
    ]);
  });
});

describe("encodePredictionsParquet", () => {
  it("holds what the CSV holds", async () => {
    const rows = [row("s1"), row("s2", { truth: null, decision: null, probabilities: null, threshold: null })];
    const bytes = encodePredictionsParquet(rows);
    const read = await parquetReadObjects({ file: bytes.slice().buffer });
    expect(read).toMatchObject([
      { slide: "s1", decision: "normal", probability_normal: 0.625, threshold: 0.5, error: null },
      { slide: "s2", decision: null, probability_normal: null, threshold: null },
    ]);
  });
});

describe("encodePredictionsJson", () => {
  it("is one document with one object per line", () => {
    const rows = [row("s1"), row("s2")];
    const text = encodePredictionsJson(rows);
    expect(JSON.parse(text)).toEqual(rows);
    expect(text.trimEnd().split("\n")).toHaveLength(4);
  });
});

describe("attentionGeoJson", () => {
  const input = { coords: Int32Array.of(0, 0, 512, 0), values: Float32Array.of(0.25, 0.75) };

  it("writes closed squares in level-0 pixels with raw value, percentile and colour", () => {
    const parsed = JSON.parse(attentionGeoJson(input)) as { type: string; features: unknown[] };
    expect(parsed.type).toBe("FeatureCollection");
    expect(parsed.features[1]).toEqual({
      type: "Feature",
      geometry: {
        type: "Polygon",
        coordinates: [
          [
            [512, 0],
            [1024, 0],
            [1024, 512],
            [512, 512],
            [512, 0],
          ],
        ],
      },
      properties: {
        objectType: "tile",
        color: [...colourOf(0.75, "viridis")],
        measurements: { attention: 0.75, "attention percentile": 75 },
      },
    });
  });

  it("takes the tile size and the measurement's name, and one tile alone", () => {
    const text = attentionGeoJson({
      coords: Int32Array.of(10, 20),
      values: Float32Array.of(1),
      tilePx: 100,
      measurement: "class <tumour>",
    });
    const parsed = JSON.parse(text) as {
      features: { geometry: { coordinates: number[][][] }; properties: { measurements: object } }[];
    };
    expect(parsed.features[0]?.geometry.coordinates[0]?.[2]).toEqual([110, 120]);
    expect(Object.keys(parsed.features[0]?.properties.measurements ?? {})).toEqual([
      "class <tumour>",
      "class <tumour> percentile",
    ]);
  });

  it.each([
    ["encoded_px", "coordinates count pixels of the encoded magnification (encoded_px), GeoJSON needs level-0 pixels"],
    ["unknown", "coordinates count a unit that this version does not know (unknown), GeoJSON needs level-0 pixels"],
  ] as const)("refuses coordinates in %s", (coordUnit, message) => {
    expect(() => attentionGeoJson({ ...input, coordUnit })).toThrow(message);
    expect(attentionGeoJson({ ...input, coordUnit: "level0_px" })).toBe(attentionGeoJson(input));
  });

  it("refuses a value that is not finite", () => {
    expect(() => attentionGeoJson({ ...input, values: Float32Array.of(1, Infinity) })).toThrow(
      "value 1 is Infinity; it must be finite",
    );
  });
});
