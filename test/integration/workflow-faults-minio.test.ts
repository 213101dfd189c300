import { describe } from "vitest";
import { describeStoreFaults } from "../lib/store-fault-workflows.ts";
import { whyNoDocker } from "./docker.ts";
import { startMinio } from "./minio.ts";

const reason = await whyNoDocker();
if (reason !== undefined) console.warn(`skipping workflows on MinIO that fails: ${reason}`);

describe.skipIf(reason !== undefined)("through a proxy", () => {
  describeStoreFaults("MinIO", () => startMinio(), { checksUploads: true, hasManyRounds: false });
});
