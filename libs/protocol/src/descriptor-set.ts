import { readFileSync } from "node:fs";

/**
 * The bytes of the `google.protobuf.FileDescriptorSet` of every contract that Parfocal serves, as buf wrote it: each
 * file after the files it imports, well-known types included, comments left out. For the reflection services.
 */
export function readDescriptorSet(): Uint8Array {
  return readFileSync(new URL("./gen/descriptors.binpb", import.meta.url));
}
