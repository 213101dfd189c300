import { isDomainError } from "@parfocal/errors";
import { describe, expect, it } from "vitest";
import { completeBag } from "../complete-bag.ts";
import { parseCsvSources } from "./parse-csv-sources.ts";

function bagsOf(text: string) {
  const sources = [...parseCsvSources(new TextEncoder().encode(text))];
  return sources.map((source) => completeBag(source, "file", {}).bag);
}

function codeOf(text: string): string {
  try {
    bagsOf(text);
  } catch (error) {
    if (isDomainError(error)) return error.code;
    throw error;
  }
  return "none";
}

describe("parseCsvSources", () => {
  it("gives up at once on a long line of blanks with a quote that opens nothing", () => {
    // The square of it would take minutes.
    expect(codeOf(`1,a,${" ".repeat(200_000)}x"\n`)).toBe("CORRUPT");
  });

  it("takes blanks around cells in quotes", () => {
    expect(bagsOf('1, "a" ,"1", 2\n').map(({ metadata, features }) => [metadata.slideId, [...features.data]])).toEqual([
      ["a", [1, 2]],
    ]);
  });

  it("groups rows by bag in the order of first appearance and keeps the label", () => {
    const bags = bagsOf("1,b,1,2\n0,a,3,4\n1,b,5,6.5\n");
    expect(
      bags.map(({ n, d, features, metadata }) => [metadata.slideId, metadata.sourceLabel, n, d, [...features.data]]),
    ).toEqual([
      ["b", "1", 2, 2, [1, 2, 5, 6.5]],
      ["a", "0", 1, 2, [3, 4]],
    ]);
  });

  it.each([
    ["line ends of Windows and a byte order mark", "\ufeff1,a,1,2\r\n1,a,3,4\r\n"],
    ["blanks, quotes and an empty line", '1, "a" , 1,2\n\n1,a,"3",4'],
    ["a header", "label,bag_id,f1,f2\n1,a,1,2\n1,a,3,4\n"],
    ["a header that names its features by numbers", "label,bag,0,1\n1,a,1,2\n1,a,3,4\n"],
    ["a header in another order", "f1,slide_id,f2,label\n1,a,2,1\n3,a,4,1\n"],
  ])("reads %s", (_name, text) => {
    const [bag, ...others] = bagsOf(text);
    expect(others).toEqual([]);
    expect(bag?.metadata).toMatchObject({ slideId: "a", sourceLabel: "1" });
    expect([...(bag?.features.data ?? [])]).toEqual([1, 2, 3, 4]);
  });

  it("reads quotes and commas within a bag id", () => {
    expect(bagsOf('1,"a ""b"", c",1\n')[0]?.metadata.slideId).toBe('a "b", c');
  });

  it("gives one digest to the same rows wherever they stand", () => {
    const [a] = bagsOf("1,a,1,2\n0,b,3,4\n");
    const [, again] = bagsOf("0,b,9,4\n1,a,1,2\n");
    expect(again?.metadata.sourceDigest).toBe(a?.metadata.sourceDigest);
  });

  it.each([
    ["without rows", "label,bag,f1\n", "EMPTY_BAG"],
    ["with a short row", "1,a,1,2\n1,a,1\n1,a,1,2\n", "SHAPE_MISMATCH"],
    ["that breaks off", "1,a,1,2\n1,a,1", "TRUNCATED"],
    ["with a word for a number", "1,a,1\n1,a,x\n", "CORRUPT"],
    ["with an empty cell", "1,a,1,2\n1,a,,2\n", "CORRUPT"],
    ["with a hexadecimal number", "1,a,1\n1,a,0x10\n", "CORRUPT"],
    ["with NaN", "1,a,1\n1,a,nan\n", "NON_FINITE"],
    ["with a number beyond F32", "1,a,1\n1,a,1e39\n", "NON_FINITE"],
    ["with a number beyond doubles", "1,a,1\n1,a,1e999\n", "NON_FINITE"],
    ["with two labels for a bag", "1,a,1\n0,a,1\n", "INVALID_ARGUMENT"],
    ["without a bag id", "1,a,1\n1,,1\n", "CORRUPT"],
    ["with two columns", "1,a\n", "UNSUPPORTED_FORMAT"],
    ["with semicolons", "1;a;2\n", "UNSUPPORTED_FORMAT"],
    ["whose header tells no label", "id,name,f1\n1,a,1\n", "UNSUPPORTED_FORMAT"],
    ["whose header has a column without a name", ",label,bag_id,f0\n0,1,a,0.5\n", "UNSUPPORTED_FORMAT"],
    ["whose index was written twice", "Unnamed: 0,label,bag_id,f0\n0,1,a,0.5\n", "UNSUPPORTED_FORMAT"],
    ["whose y stands beside an x", "slide_id,x,y,f0\na,1,2,3\n", "UNSUPPORTED_FORMAT"],
    ["with an open quote", '1,"a,1\n', "CORRUPT"],
  ])("refuses a file %s", (_name, text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it("tells which column has no name", () => {
    expect(() => bagsOf('label,bag,f0,""\n1,a,1,2\n')).toThrow("column 4 of the header has no name");
    expect(bagsOf("y,bag,f0\n1,a,1\n")[0]?.metadata.sourceLabel).toBe("1");
  });

  it("refuses what is no text", () => {
    expect(() => [...parseCsvSources(Uint8Array.of(0xff, 0xfe, 0))]).toThrow("no UTF-8 text");
  });
});
