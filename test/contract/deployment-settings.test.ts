import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;

/** Names of our settings in the files below `folder` that `isWanted`, with where each was found. */
function settingsIn(folder: string, isWanted: (path: string) => boolean): Map<string, string> {
  const paths = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  const found = new Map<string, string>();
  for (const path of paths.filter((each) => !each.includes("node_modules") && isWanted(each))) {
    const text = readFileSync(join(ROOT, folder, path), "utf8");
    for (const [name] of text.matchAll(/\bPARFOCAL_[A-Z0-9_]*[A-Z0-9]\b/g)) found.set(name, join(folder, path));
  }
  return found;
}

it("names no setting in a deployment or in docs/operations.md that no service reads", () => {
  const isSource = (path: string) => path.endsWith(".ts") && !path.endsWith(".test.ts");
  const known = new Set([...settingsIn("libs", isSource).keys(), ...settingsIn("services", isSource).keys()]);
  const used = new Map([
    ...settingsIn("deploy", (path) => /(?:\.yaml|Dockerfile|\.md)$/.test(path)),
    ...settingsIn("docs", (path) => path === "operations.md"),
  ]);
  expect(used.size).toBeGreaterThan(20);
  expect([...used].filter(([name]) => !known.has(name))).toEqual([]);
});
