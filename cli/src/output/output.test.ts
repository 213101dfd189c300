import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { createOutput } from "./output.ts";
import { renderTable } from "./table.ts";
import { formatBytes, formatDuration, plural } from "./units.ts";

class Sink extends Writable {
  text = "";
  readonly isTTY: boolean;
  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe("output", () => {
  it("gives programs one JSON object per line on standard output and nothing else", () => {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const output = createOutput(true, { stdout, stderr });
    output.record({ a: 1n, b: 2n ** 64n });
    output.line("for people");
    output.table([{ title: "t" }], [["x"]]);
    output.progress("work").update({ fraction: 1 });
    output.note("remark");
    expect(stdout.text).toBe('{"a":1,"b":"18446744073709551616"}\n');
    expect(stderr.text).toBe("remark\n");
  });

  it("gives people text without records", () => {
    const [stdout, stderr] = [new Sink(), new Sink()];
    const output = createOutput(false, { stdout, stderr });
    output.record({ a: 1 });
    output.line("done");
    expect([stdout.text, stderr.text]).toEqual(["done\n", ""]);
  });

  it("shows progress as a line per tenth off a terminal", () => {
    const stderr = new Sink();
    const progress = createOutput(false, { stdout: new Sink(), stderr }).progress("train");
    for (let i = 0; i <= 100; i++) progress.update({ fraction: i / 100, etaS: 100 - i, text: `epoch ${i}` });
    const lines = stderr.text.trimEnd().split("\n");
    // The state before any work is done and the first work, then the tenths.
    expect(lines).toHaveLength(12);
    expect(lines[1]).toBe("train:    1 %  epoch 1  1 min 39 s left");
    expect(lines[6]).toBe("train:   50 %  epoch 50  50 s left");
    expect(lines[11]).toBe("train:  100 %  epoch 100");
  });

  it("redraws one bar on a terminal and leaves no trace of it", () => {
    const stderr = new Sink(true);
    const progress = createOutput(false, { stdout: new Sink(), stderr }).progress("train");
    progress.update({ fraction: 0.5, etaS: 90, text: "epoch 1" });
    expect(stderr.text).toBe(`\r\u001b[2Ktrain  ${"█".repeat(12)}${"░".repeat(12)}   50 %  1 min 30 s left  epoch 1`);
    progress.end();
    expect(stderr.text.endsWith("\r\u001b[2K")).toBe(true);
  });
});

describe("tables and units", () => {
  it("align columns and trim the ends of lines", () => {
    const text = renderTable(
      [{ title: "slide" }, { title: "n", align: "right" }, { title: "note" }],
      [["a", "10", ""]],
    );
    expect(text).toBe("slide   n  note\n─────  ──  ────\na      10\n");
  });

  it.each([
    [0, "0.0 s"],
    [9_940, "9.9 s"],
    [9_960, "10 s"],
    [185_000, "3 min 05 s"],
    [7_800_000, "2 h 10 min"],
  ])("tell %i ms as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it("tell bytes in binary units, and one as one", () => {
    expect([0, 1023, 1024, 1.8 * 1024 ** 3].map(formatBytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.8 GiB"]);
    expect([plural(1, "bag"), plural(2, "bag")]).toEqual(["1 bag", "2 bags"]);
  });
});
