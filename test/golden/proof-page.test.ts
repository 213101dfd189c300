import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/proof.md", ROOT), "utf8");

/** Rows `| checks | what | tests |`. */
const ROWS = page
  .split("\n")
  .map((line) => /^\| ([GPFM]\d[^|]*?) \| [^|]* \| ([^|]*) \|$/u.exec(line))
  .filter((row) => row !== null)
  .map(([, checks = "", tests = ""]) => ({ checks: checksIn(checks), tests: pathsIn(tests) }));

/** `G1–G3, P8` are G1, G2, G3 and P8. */
function checksIn(text: string): string[] {
  return text.split(", ").flatMap((part) => {
    const [first = "", last = first] = part.split("–");
    const [from, to] = [first, last].map((check) => Number(check.slice(1))) as [number, number];
    return Array.from({ length: to - from + 1 }, (_, i) => `${first.slice(0, 1)}${from + i}`);
  });
}

function pathsIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+\.test\.ts)`/gu)].map(([, path = ""]) => path);
}

describe("the page of proofs", () => {
  it("has every check of R2T, of RoFormer with its heads and of the mixer once", () => {
    const listed = ROWS.flatMap(({ checks }) => checks);
    const numbers = (letter: string, last: number) => Array.from({ length: last }, (_, i) => `${letter}${i + 1}`);
    const heads = [...numbers("F", 20), ...numbers("F", 27).slice(22)];
    const wanted = [...numbers("G", 21), ...numbers("P", 15), ...heads, ...numbers("M", 12)];
    expect(wanted.filter((check) => !listed.includes(check))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });

  it.each(ROWS)("names tests that are there and name $checks", ({ checks, tests }) => {
    expect(tests.length).toBeGreaterThan(0);
    for (const path of tests) {
      const text = readFileSync(new URL(path, ROOT), "utf8");
      for (const check of checks) expect(text, `${path} names ${check}`).toMatch(new RegExp(`\\b${check}\\b`, "u"));
    }
  });

  it("names no file that is gone", () => {
    for (const path of pathsIn(page)) expect(existsSync(new URL(path, ROOT)), path).toBe(true);
  });
});
