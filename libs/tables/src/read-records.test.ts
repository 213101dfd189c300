import { describe, expect, it } from "vitest";
import { readRecords } from "./read-records.ts";

async function* bytesOf(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(typeof text === "string" ? new TextEncoder().encode(text) : text);
}

async function read(text: string | Uint8Array) {
  const records = await Array.fromAsync(readRecords(bytesOf(text)));
  return records.map(({ line, values }) => [line, Object.fromEntries(values)]);
}

describe("readRecords", () => {
  it.each([",", "\t", ";"])("reads a heading and cells between %j, quotes and blank lines", async (by) => {
    const text = `\uFEFFbag${by}note\r\n\r\n b1 ${by}"x${by}""y"""\nb2${by}\n`;
    expect(await read(text)).toEqual([
      [3, { bag: "b1", note: `x${by}"y"` }],
      [4, { bag: "b2", note: "" }],
    ]);
  });

  it.each([
    ["slide_id;patient;size (mm, max)\ns1;p1;3", { slide_id: "s1", patient: "p1", "size (mm, max)": "3" }],
    ["slide_id\tpatient\tnote, free\ns1\tp1\tx", { slide_id: "s1", patient: "p1", "note, free": "x" }],
    ['slide_id;"size, mm, max"\ns1;3', { slide_id: "s1", "size, mm, max": "3" }],
    ['slide_id,"a;b "";"" c"\ns1,3', { slide_id: "s1", 'a;b ";" c': "3" }],
    ["slide_id;a,b\ns1;3,4", { "slide_id;a": "s1;3", b: "4" }],
    ['"a;b"\n"c;d"', { "a;b": "c;d" }],
  ])(
    "cuts at what stands most often outside quotes in the heading, at the comma in doubt: %j",
    async (text, values) => {
      expect(await read(text)).toEqual([[2, values]]);
    },
  );

  it("numbers a row that spans lines by its last", async () => {
    expect(await read('bag\n"a\nb"\nc')).toEqual([
      [3, { bag: "a\nb" }],
      [4, { bag: "c" }],
    ]);
  });

  it("reads JSON lines", async () => {
    expect(await read('\n{"bag":"b1","fold":3,"note":null}\r\n\n{"bag":" b2 "}')).toEqual([
      [2, { bag: "b1", fold: "3", note: "" }],
      [4, { bag: " b2 " }],
    ]);
  });

  it("gives nothing of a table without rows", async () => {
    expect(await read("")).toEqual([]);
    expect(await read("bag,note\n")).toEqual([]);
  });

  it.each([
    ["bag,note\nb1\n", "INVALID_ARGUMENT", "line 2 has 1 cells, the heading has 2"],
    ["bag,bag\nb1,b2\n", "INVALID_ARGUMENT", "the heading has 2 columns; each needs a name of its own"],
    ['bag\n"secret\n', "INVALID_ARGUMENT", "line 2 is no CSV: CSV_QUOTE_NOT_CLOSED"],
    ['bag\nsec"ret\n', "INVALID_ARGUMENT", "line 2 is no CSV: INVALID_OPENING_QUOTE"],
    ['{"bag":"b1"}\n{"bag":\n', "INVALID_ARGUMENT", "line 2 is no JSON object"],
    ['{"bag":"b1"}\n[1]\n', "INVALID_ARGUMENT", "line 2 is no JSON object"],
    ['{"bag":["secret"]}\n', "INVALID_ARGUMENT", "line 1 holds a nested value; text, numbers and null are allowed"],
    [Uint8Array.of(0x62, 0xff, 0x0a), "INVALID_ARGUMENT", "the table is no UTF-8 text"],
  ])("refuses what is no table, naming the line and nothing on it: %#", async (text, code, message) => {
    await expect(read(text)).rejects.toMatchObject({ code, message });
  });

  it.each(["bag\n", '{"bag":"'])("refuses a row without end: %j", async (head) => {
    await expect(read(head + "x".repeat(1_100_000))).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  });

  it("passes on what its source throws", async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* bytesOf("bag\nb1\n");
      throw new Error("the store went away");
    }
    await expect(Array.fromAsync(readRecords(failing()))).rejects.toThrow("the store went away");
  });
});
