import { openStore, type StoreOptions } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeStoreContract } from "../contract/store-contract.ts";
import { bytesOf, expectCode, textOf } from "../contract/store-contract-tools.ts";
import { whyNoDocker } from "./docker.ts";
import { startMinio } from "./minio.ts";
import type { S3Server } from "./s3-server.ts";

const reason = await whyNoDocker();
if (reason !== undefined) console.warn(`skipping the MinIO suite: ${reason}`);

describe.skipIf(reason !== undefined)("MinIO", () => {
  const partSizeBytes = 5 * 1024 * 1024;
  let server: S3Server;

  beforeAll(async () => {
    server = await startMinio();
  });
  afterAll(async () => {
    await server?.stop();
  });

  for (const checksumMode of ["when_required", "when_supported"] as const) {
    const traits = {
      hasUrls: true,
      isInMemory: false,
      belowObjects: "hidden",
      refusesForeignTokens: true,
      partSizeBytes,
    } as const;
    describeStoreContract(`MinIO, checksums ${checksumMode}`, traits, async () => {
      const bucket = await server.createBucket();
      const options = { ...server.storeOptions, partSizeBytes, checksumMode };
      const uri = `s3://${bucket}/some/prefix`;
      const [store, other] = [openStore(uri, options), openStore(uri, options)];
      const stop = async () => {
        store.close();
        other.close();
      };
      // MinIO lists the uploads of one object only: the one that the failing writes use.
      const countUnfinished = async () =>
        (await server.countUnfinished(bucket, "some/prefix/write/failed")) +
        (await server.countUnfinished(bucket, "some/prefix/write/silent")) +
        (await server.countUnfinished(bucket, "some/prefix/write/edge"));
      return { store, other, countUnfinished, stop };
    });
  }

  describe("errors of a real server", () => {
    const open = async (options: StoreOptions, bucket?: string) => {
      const store = openStore(`s3://${bucket ?? (await server.createBucket())}`, {
        ...server.storeOptions,
        ...options,
      });
      return store;
    };

    it("is FORBIDDEN with a wrong secret and with an unknown key", async () => {
      for (const accessKeyId of [server.credentials.accessKeyId, "nobody"]) {
        const store = await open({ credentials: { accessKeyId, secretAccessKey: "wrong-secret" } });
        await expectCode(store.get("a"), "FORBIDDEN");
        await expectCode(store.put("a", bytesOf("x")), "FORBIDDEN");
        await expectCode(store.list(""), "FORBIDDEN");
        await expectCode(store.head("a"), "FORBIDDEN");
      }
    });

    it("is NOT_FOUND without the bucket, whose name stays unsaid", async () => {
      const store = await open({}, "no-such-bucket");
      for (const work of [() => store.get("a"), () => store.put("a", bytesOf("x")), () => store.list("")]) {
        expect((await expectCode(work(), "NOT_FOUND")).message).not.toContain("no-such-bucket");
      }
    });

    it("is UNREACHABLE on a closed port", async () => {
      const store = await open({ endpoint: "http://127.0.0.1:9", maxAttempts: 2, retryBaseMs: 1 });
      await expectCode(store.get("a"), "UNREACHABLE");
      await expectCode(store.put("a", bytesOf("x")), "UNREACHABLE");
      await expectCode(store.delete("a"), "UNREACHABLE");
    });

    it("keeps prefixes apart, and the root of the bucket above them", async () => {
      const bucket = await server.createBucket();
      const root = await open({}, bucket);
      const [left, right] = [openStore(`s3://${bucket}/l/`, server.storeOptions), await open({}, `${bucket}/l2`)];
      await left.put("x", bytesOf("left"));
      await right.put("x", bytesOf("right"));
      expect(left.rootUri).toBe(`s3://${bucket}/l`);
      expect(textOf((await root.get("l/x")).bytes)).toBe("left");
      expect((await left.list("")).objects.map(({ key }) => key)).toEqual(["x"]);
      expect((await root.list("l")).objects.map(({ key }) => key)).toEqual(["l/x", "l2/x"]);
    });
  });
});
