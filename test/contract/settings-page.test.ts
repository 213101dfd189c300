import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openStore, storeOptionsFromEnv } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { SETTINGS_BY_SERVICE, SETTINGS_PAGE, withSettingsTables } from "../../scripts/settings-page.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const SOURCES = ["libs", "services", "cli"];
const TOOLS = ["test", "bench", "scripts", "deploy"];

/** The pages that together list every setting. */
const PAGES = ["settings.md", "storage.md"];

const page = readFileSync(SETTINGS_PAGE, "utf8");

/** Text of the programs below `folder`, tests beside their sources left out. */
function programsIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => !path.includes("node_modules") && /\.(?:ts|mjs|sh)$/.test(path))
    .filter((path) => TOOLS.includes(folder) || !path.endsWith(".test.ts"))
    .map((path) => readFileSync(join(ROOT, folder, path), "utf8"));
}

/** The variables that a program takes from its environment by name: `env.NAME`, `{ NAME } = env`, `${NAME` of a shell. */
function variablesIn(program: string): string[] {
  const single = [...program.matchAll(/\benv\.([A-Z][A-Z0-9_]+)|\$\{(PARFOCAL_[A-Z0-9_]+)/g)];
  const several = [...program.matchAll(/\{([^{}]*)\}\s*=\s*(?:process\.)?env\b/g)];
  return [
    ...single.map(([, inProgram, inShell]) => inProgram ?? inShell ?? ""),
    ...several.flatMap(([, names = ""]) => names.match(/\b[A-Z][A-Z0-9_]+\b/g) ?? []),
  ];
}

/** The variables that `read` asks an environment for. */
function variablesAskedBy(read: (env: Record<string, string | undefined>) => unknown): string[] {
  const asked: string[] = [];
  const get = (_: object, name: string) => {
    asked.push(name);
    return undefined;
  };
  read(new Proxy({}, { get }));
  return asked;
}

/** What a user can set, by the programs themselves. */
function readVariables(): Set<string> {
  const isOurs = (name: string) => name.startsWith("PARFOCAL_");
  return new Set([
    ...Object.values(SETTINGS_BY_SERVICE).flatMap((settings) => Object.values(settings).map(({ env }) => env)),
    ...variablesAskedBy(storeOptionsFromEnv),
    ...SOURCES.flatMap(programsIn).flatMap(variablesIn),
    ...TOOLS.flatMap(programsIn).flatMap(variablesIn).filter(isOurs),
    // Node's own reader of it is asked.
    "TMPDIR",
  ]);
}

/** First cells of the tables of a page of docs/. */
function firstCellsOf(name: string): string[] {
  const lines = readFileSync(join(ROOT, "docs", name), "utf8").split("\n");
  return lines.filter((line) => line.startsWith("|")).map((line) => line.split("|")[1] ?? "");
}

/** Variables that pages have a row of. */
function listedVariables(pages: readonly string[] = PAGES): Set<string> {
  const cells = pages.flatMap(firstCellsOf);
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map(([, name = ""]) => name)));
}

describe("docs/settings.md", () => {
  it("is as `npm run generate` writes it", () => {
    expect(withSettingsTables(page)).toBe(page);
  });

  it("has the settings of every service", () => {
    expect(Object.keys(SETTINGS_BY_SERVICE).sort()).toEqual(readdirSync(join(ROOT, "services")).sort());
  });

  it("has with docs/storage.md a row for every variable that something reads", () => {
    const listed = listedVariables();
    expect([...readVariables()].filter((name) => !listed.has(name))).toEqual([]);
  });

  it("leaves default and meaning of the store's to docs/storage.md, which has all of them", () => {
    const listed = listedVariables(["storage.md"]);
    expect(variablesAskedBy(storeOptionsFromEnv).filter((name) => !listed.has(name))).toEqual([]);
  });

  it("has a row for every variable that the sources of services and command line name", () => {
    const listed = listedVariables();
    const named = SOURCES.flatMap(programsIn).flatMap((text) => text.match(/\bPARFOCAL_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []);
    expect([...new Set(named)].filter((name) => !listed.has(name))).toEqual([]);
  });

  it("has no row, and no other page's table one, for a variable that nothing reads", () => {
    const read = readVariables();
    const cells = readdirSync(join(ROOT, "docs"))
      .filter((name) => name.endsWith(".md"))
      .flatMap(firstCellsOf);
    const ours = cells.flatMap((cell) => cell.match(/\bPARFOCAL_[A-Z0-9_]*[A-Z0-9]\b/g) ?? []);
    const unread = [...listedVariables(), ...ours].filter((name) => !read.has(name));
    expect(unread).toEqual([]);
    expect(new Set(ours).size).toBeGreaterThan(80);
  });

  const bounds = [...page.matchAll(/^\| `(PARFOCAL_S3_\w+)` \| (\d+) to (\d+) \|/gm)];

  it.each(bounds.map(([, name = "", min = "", max = ""]) => ({ name, min: Number(min), max: Number(max) })))(
    "gives the bounds of $name",
    ({ name, min, max }) => {
      const open = (value: number) => openStore("s3://bucket", storeOptionsFromEnv({ [name]: String(value) })).close();
      for (const value of [min, max]) open(value);
      for (const value of [min - 1, max + 1]) expect(() => open(value)).toThrow(/outside/);
    },
  );

  it("gives the bounds of every number of the store", () => {
    const numbers = variablesAskedBy(storeOptionsFromEnv).filter((name) => /_(?:BYTES|MAX_[A-Z]+|MS)$/.test(name));
    expect(bounds.map(([, name]) => name).sort()).toEqual([...new Set(numbers)].sort());
  });
});

describe("withSettingsTables", () => {
  it("refuses a page without the markers of a table, and one with markers of none", () => {
    expect(() => withSettingsTables(page.replace("settings of reembed,", "settings of nobody,"))).toThrow(/nobody/);
    expect(() => withSettingsTables(page.replace("<!-- settings of reembed,", "<!-- "))).toThrow(/reembed/);
  });
});
