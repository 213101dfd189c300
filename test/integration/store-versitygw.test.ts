import { openStore } from "@parfocal/store";
import { afterAll, beforeAll, describe } from "vitest";
import { describeStoreContract } from "../contract/store-contract.ts";
import { whyNoDocker } from "./docker.ts";
import type { S3Server } from "./s3-server.ts";
import { startVersitygw } from "./versitygw.ts";

const reason = await whyNoDocker();
if (reason !== undefined) console.warn(`skipping the VersityGW suite: ${reason}`);

describe.skipIf(reason !== undefined)("VersityGW", () => {
  const partSizeBytes = 5 * 1024 * 1024;
  let server: S3Server;

  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(async () => {
    await server?.stop();
  });

  for (const checksumMode of ["when_required", "when_supported"] as const) {
    // Known deviations of v1.8.0; its conditional writes have none (they were not atomic before).
    const deviations = { belowObjects: "refused", refusesForeignTokens: false } as const;
    const traits = { hasUrls: true, isInMemory: false, ...deviations, partSizeBytes };
    describeStoreContract(`VersityGW, checksums ${checksumMode}`, traits, async () => {
      const bucket = await server.createBucket();
      const options = { ...server.storeOptions, partSizeBytes, checksumMode };
      const uri = `s3://${bucket}/some/prefix`;
      const [store, other] = [openStore(uri, options), openStore(uri, options)];
      const stop = async () => {
        store.close();
        other.close();
      };
      const countUnfinished = () => server.countUnfinished(bucket, "some/prefix/write/");
      return { store, other, countUnfinished, stop };
    });
  }
});
