/**
 * `npm run generate`: TypeScript from every proto, and the descriptor set that the reflection services serve. The output
 * is committed and depends on the protos, the lockfile and nothing else: `git diff` after it must be empty.
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

layOutProtoImports();
for (const step of steps) if (!(await runBuf(...step))) break;
