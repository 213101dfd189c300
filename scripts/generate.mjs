/**
 * `npm run generate`: TypeScript from every proto, and the descriptor set that the reflection services serve. The output
 * is committed and depends on the protos, the lockfile and nothing else: `git diff` after it must be empty.
 */
import { runBuf } from "./buf.mjs";
import { layOutProtoImports } from "./proto-imports.mjs";

layOutProtoImports();
await runBuf("generate");
await runBuf("generate", "--template", "buf.gen.onnx.yaml");
await runBuf(
  "build",
  "--as-file-descriptor-set",
  "--exclude-source-info",
  "--exclude-path",
  "proto/onnx",
  "--output",
  "libs/protocol/src/gen/descriptors.binpb",
);
