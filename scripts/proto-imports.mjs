/**
 * Lays the protos that npm packages ship out under their published import names in `.cache/proto`, where buf.yaml looks
 * for them. They are never committed: the lockfile pins them. Run by every script that calls buf, so that a fresh clone
 * needs nothing but `npm ci`.
 */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Package, folder in it, and the files by the name their importers use (`from` where the package stores it elsewhere). */
const sources = [
  {
    package: "google-proto-files",
    files: [
      "google/api/annotations.proto",
      "google/api/client.proto",
      "google/api/field_behavior.proto",
      "google/api/http.proto",
      "google/api/launch_stage.proto",
      "google/api/resource.proto",
      "google/longrunning/operations.proto",
      "google/protobuf/any.proto",
      "google/protobuf/duration.proto",
      "google/protobuf/empty.proto",
      "google/protobuf/field_mask.proto",
      "google/protobuf/timestamp.proto",
      "google/rpc/code.proto",
      "google/rpc/error_details.proto",
      "google/rpc/status.proto",
    ],
  },
  {
    package: "grpc-health-check",
    folder: "proto",
    files: [{ name: "grpc/health/v1/health.proto", from: "health/v1/health.proto" }],
  },
  {
    package: "@grpc/reflection",
    folder: "build/proto",
    files: ["grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto"],
  },
];

/** The folder an npm package is installed in, wherever the workspace hoisted it. */
function packageFolder(name) {
  const require = createRequire(path.join(root, "libs/protocol/package.json"));
  for (const base of require.resolve.paths(name)) {
    const folder = path.join(base, name);
    try {
      require.resolve(path.join(folder, "package.json"));
      return folder;
    } catch {}
  }
  throw new Error(`the npm package ${name}, which ships protos this build imports, is not installed: run "npm ci"`);
}

/** Rebuilds `.cache/proto` from the installed packages. */
export function layOutProtoImports() {
  const target = path.join(root, ".cache/proto");
  rmSync(target, { recursive: true, force: true });
  for (const source of sources) {
    const folder = path.join(packageFolder(source.package), source.folder ?? "");
    for (const file of source.files) {
      const { name, from } = typeof file === "string" ? { name: file, from: file } : file;
      mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
      copyFileSync(path.join(folder, from), path.join(target, name));
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) layOutProtoImports();
