import { describe, expect, it } from "vitest";
import { openStore } from "./open-store.ts";
import { resolveStoreOptions } from "./store-options.ts";
import { storeOptionsFromEnv } from "./store-options-from-env.ts";

describe("store options", () => {
  it("fit AWS by default and other servers when there is an endpoint", () => {
    expect(resolveStoreOptions({})).toMatchObject({ forcePathStyle: false, checksumMode: "when_supported" });
    const other = resolveStoreOptions({ endpoint: "http://127.0.0.1:9000" });
    expect(other).toMatchObject({ forcePathStyle: true, checksumMode: "when_required" });
  });

  it.each([
    [{ partSizeBytes: 5 * 1024 * 1024 - 1 }, "partSizeBytes is 5242879, outside 5242880"],
    [{ maxConcurrency: 0 }, "maxConcurrency is 0, outside 1 to 64"],
    [{ maxAttempts: 2.5 }, "maxAttempts is 2.5"],
    [{ idleTimeoutMs: Number.NaN }, "idleTimeoutMs is NaN"],
  ])("are refused out of bounds: %j", (options, message) => {
    expect(() => openStore("s3://bucket", options)).toThrow(message);
  });

  it("come from the environment, our names first", () => {
    const env = {
      PARFOCAL_S3_ENDPOINT: "http://minio:9000",
      AWS_ENDPOINT_URL: "http://other:9000",
      AWS_REGION: "eu-north-1",
      PARFOCAL_S3_FORCE_PATH_STYLE: "false",
      PARFOCAL_S3_CHECKSUM_MODE: "when_supported",
      PARFOCAL_S3_PART_SIZE_BYTES: "8388608",
      PARFOCAL_S3_MAX_ATTEMPTS: "",
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "secret",
    };
    expect(storeOptionsFromEnv(env)).toEqual({
      endpoint: "http://minio:9000",
      region: "eu-north-1",
      forcePathStyle: false,
      checksumMode: "when_supported",
      partSizeBytes: 8_388_608,
      credentials: { accessKeyId: "id", secretAccessKey: "secret" },
    });
    expect(storeOptionsFromEnv({})).toEqual({});
  });

  it("are plain data", () => {
    const options = storeOptionsFromEnv({
      PARFOCAL_S3_ENDPOINT: "http://x",
      AWS_ACCESS_KEY_ID: "i",
      AWS_SECRET_ACCESS_KEY: "s",
    });
    expect(JSON.parse(JSON.stringify(options))).toEqual(options);
    expect(structuredClone(options)).toEqual(options);
  });

  it.each([
    [{ PARFOCAL_S3_ENDPOINT: "minio:9000" }, '"minio:9000"'],
    [{ PARFOCAL_S3_FORCE_PATH_STYLE: "yes" }, "PARFOCAL_S3_FORCE_PATH_STYLE"],
    [{ PARFOCAL_S3_CHECKSUM_MODE: "always" }, "PARFOCAL_S3_CHECKSUM_MODE"],
    [{ PARFOCAL_S3_MAX_CONCURRENCY: "4x" }, 'PARFOCAL_S3_MAX_CONCURRENCY is "4x"'],
  ])("name the variable that is wrong: %j", (env, message) => {
    expect(() => storeOptionsFromEnv(env)).toThrow(message);
  });
});

describe("openStore", () => {
  it.each([
    ["s3://bucket", "s3://bucket"],
    ["s3://bucket/", "s3://bucket"],
    ["s3://bucket/a/b/", "s3://bucket/a/b"],
    ["file:///tmp/x/", "file:///tmp/x"],
  ])("opens %s at the root %s", (uri, rootUri) => {
    const store = openStore(uri);
    expect(store.rootUri).toBe(rootUri);
    store.close();
  });

  it.each(["s3://", "s3://B", "s3://b", "s3://bucket//a", "s3://bucket/../a", "gs://bucket", "/tmp/x", "http://x"])(
    "refuses %s without repeating more than its scheme",
    (uri) => {
      expect(() => openStore(uri)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }) as Error);
    },
  );
});
