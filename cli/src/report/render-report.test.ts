import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isDecidedRightly } from "./predictions-section.ts";
import { renderReport } from "./render-report.ts";
import { fixtureReport } from "./report-data.fixture.ts";
import type { ReportData } from "./report-data.ts";

const HOSTILE = `"><script>alert('x')</script><img src=x onerror=alert(1)>&`;

/** Every string of a value replaced, so that no field can be forgotten; the closed names of the code stay. */
function replaceStrings(value: unknown, text: string): unknown {
  const closed = new Set(["binary", "delong-logit", "wilson", "patient-bootstrap"]);
  if (typeof value === "string") return closed.has(value) ? value : text;
  if (Array.isArray(value)) return value.map((item) => replaceStrings(item, text));
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceStrings(item, text)]));
}

describe("renderReport", () => {
  const data = fixtureReport();
  const html = renderReport(data);

  it("has every section, the headline numbers and the model card", () => {
    for (const heading of [
      "Data",
      "Metrics",
      "Discrimination and calibration",
      "Training",
      "Attention",
      "Predictions",
      "Model card",
    ]) {
      expect(html).toContain(`<h2>${heading}</h2>`);
    }
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(html.match(/data:image\/png;base64,/g)).toHaveLength(3);
    expect(html).toContain("Youden&#39;s J on 40 validation slides");
    expect(html).toContain("80 cases of 80 patients, left out: 1 case without a prediction.");
    expect(html).toContain("GEOMETRY_MISMATCH");
    const withoutPictures = html.replaceAll(/base64,[^"]*|<script>[\s\S]*<\/script>/g, "");
    expect(/undefined|NaN|\[object/.exec(withoutPictures)).toBeNull();
  });

  it("is the same for the same data", () => {
    expect(renderReport(data)).toBe(html);
  });

  it("asks nothing of any other place, and its policy forbids it", () => {
    const withoutNamespace = html.replaceAll("http://www.w3.org/2000/svg", "");
    expect(withoutNamespace).not.toMatch(/https?:\/\/|src="(?!data:)|<link|@import|url\(/);
    expect(html).toContain("default-src 'none'");
  });

  it("allows exactly its own script by digest", () => {
    const script = /<script>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "";
    expect(html).toContain(`'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  });

  it("escapes every text that a user can name", () => {
    const hostile = renderReport(replaceStrings(data, HOSTILE) as ReportData);
    expect(hostile).not.toContain("alert('x')");
    expect(hostile).not.toMatch(/<img src=x/);
    expect(hostile.match(/<script/g)).toHaveLength(1);
    expect(hostile).toContain("&lt;script&gt;");
  });

  it("escapes class names that are keys of the probabilities", () => {
    const probabilities = { [HOSTILE]: 0.5 };
    const hostile = renderReport({ ...data, predictions: data.predictions.map((row) => ({ ...row, probabilities })) });
    expect(hostile.match(/<script/g)).toHaveLength(1);
  });

  it("leaves out what there is none of", () => {
    const { evaluation: _, ...rest } = data;
    const bare = renderReport({ ...rest, training: [], heatmaps: [], predictions: [] });
    for (const heading of ["Metrics", "Training", "Attention", "Predictions"])
      expect(bare).not.toContain(`<h2>${heading}</h2>`);
    expect(bare).toContain("<h2>Model card</h2>");
  });

  it("counts certainty on the cases that the figures are of", () => {
    const typicality = { distance: 1, percentile: 50, unlike: false };
    const predictions = data.predictions.map((row) => ({ ...row, certainty: { typicality } }));
    expect(renderReport({ ...data, predictions })).toContain("0 of 81 slides");
    expect(renderReport({ ...data, predictions, judged: predictions.slice(0, 40) })).toContain("0 of 40 slides");
  });

  it("says nothing of decisions where none are made", () => {
    expect(html).toContain("<h3>Decision</h3>");
    expect(renderReport({ ...data, model: { ...data.model, decision: [] } })).not.toContain("<h3>Decision</h3>");
  });

  it("counts slides that were decided together, and marks labels that nobody knows", () => {
    const [row] = data.predictions;
    if (row === undefined) throw new Error("the fixture has predictions");
    const shown = renderReport({ ...data, predictions: [{ ...row, slides: ["s", "t"], unknown: ["normal"] }] });
    expect(shown).toContain(`${row.slide} and 1 more`);
    expect(shown).toContain(`${row.truth}; ?normal`);
  });

  it("cuts a long table and says so", () => {
    const [row] = data.predictions;
    if (row === undefined) throw new Error("the fixture has predictions");
    const long = renderReport({ ...data, predictions: Array.from({ length: 1500 }, () => row) });
    expect(long).toContain("1,500 slides. The table shows the first 1,000; the CSV has them all.");
    expect(long.match(/<tr><td class="text">/g)).toHaveLength(1000);
  });

  it("shows ordered classes, which have no threshold", () => {
    const text = renderReport(fixtureReport({ kind: "ordinal", classes: ["low", "mid", "high"] }));
    for (const name of ["low", "mid", "high"]) expect(text).toContain(name);
    expect(text).toContain("Discrimination and calibration");
  });

  it("calls several decided classes right in any order, whatever is decided of those that nobody knows", () => {
    const row = { slide: "s", model: "m", probabilities: null };
    expect(isDecidedRightly({ ...row, truth: "b; a", decision: "a; b" })).toBe(true);
    expect(isDecidedRightly({ ...row, truth: "a", unknown: ["c"], decision: "a; c" })).toBe(true);
    expect(isDecidedRightly({ ...row, truth: "a; b", decision: "a" })).toBe(false);
    expect(isDecidedRightly({ ...row, truth: null, decision: "a" })).toBeNull();
  });

  it("shows each class of a multi-class task and each label of a multi-label one", () => {
    const multiclass = renderReport(fixtureReport({ kind: "multi-class", classes: ["a", "b", "c"] }));
    expect(multiclass).toContain("By class, against the rest");
    expect(multiclass.match(/--share/g)?.length).toBeGreaterThan(9);
    expect(multiclass).toContain("the most probable class");
  });
});
