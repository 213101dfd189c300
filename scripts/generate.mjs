/**
 * `npm run generate`: TypeScript from every proto, the descriptor set that the reflection services serve, and the tables of
 * docs/settings.md from the services' settings. The output is committed and depends on the sources, the lockfile and
 * nothing else: `git diff` after it must be empty.
 */
import { runBuf } from "./buf.mjs";
import { layOutProtoImports } from "./proto-imports.mjs";

const gen = "libs/protocol/src/gen";
const steps = [
  ["generate"],
  ["generate", "--template", "buf.gen.onnx.yaml"],
  [
    "build",
    "--as-file-descriptor-set",
    "--exclude-source-info",
    "--exclude-path",
    "proto/onnx",
    "-o",
    `${gen}/descriptors.binpb`,
  ],
];

async function generateFromProtos() {
  for (const step of steps) if (!(await runBuf(...step))) return false;
  return true;
}

layOutProtoImports();
if (await generateFromProtos()) {
  // Not before: the services' settings import what was just written.
  const { writeSettingsPage } = await import("./settings-page.ts");
  writeSettingsPage();
}
