// Takes the development dependencies out of every package.json below a folder, for the images: npm's `--omit=dev` keeps what
// is one workspace's development dependency and another's own, and the gateway would carry the engine.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (folder === undefined) throw new Error("which folder?");
for (const path of readdirSync(folder, { recursive: true })) {
  if (!/(?:^|\/)package\.json$/.test(path)) continue;
  const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(join(folder, path), "utf8"));
  writeFileSync(join(folder, path), JSON.stringify(manifest, null, 2));
}
