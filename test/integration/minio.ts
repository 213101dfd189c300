import { randomBytes } from "node:crypto";
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import type { StoreCredentials, StoreOptions } from "@parfocal/store";
import { GenericContainer, type StartedNetwork, Wait } from "testcontainers";

/** The last release with published images; `PARFOCAL_TEST_MINIO_IMAGE` names another. */
const DEFAULT_IMAGE = "minio/minio:RELEASE.2025-09-07T16-13-09Z";

/** A MinIO server in a container. */
export interface MinioServer {
  /** `http://host:port`. */
  readonly endpoint: string;
  readonly credentials: StoreCredentials;
  /** Options for `openStore` that reach this server. */
  readonly storeOptions: StoreOptions;
  /** Makes a bucket, with a random name unless one is given, and gives its name. */
  createBucket(name?: string): Promise<string>;
  /** Uploads of a bucket that were begun and neither finished nor aborted. */
  countUnfinished(bucket: string, prefix: string): Promise<number>;
  stop(): Promise<void>;
}

/** What containers of {@link startMinio}'s network call the server. */
export const MINIO_ENDPOINT_INSIDE = "http://minio:9000";

/** Starts a MinIO server, on `network` as well when one is given, and waits until it answers. */
export async function startMinio(network?: StartedNetwork): Promise<MinioServer> {
  const credentials = { accessKeyId: "parfocal", secretAccessKey: randomBytes(16).toString("hex") };
  const image = new GenericContainer(process.env.PARFOCAL_TEST_MINIO_IMAGE || DEFAULT_IMAGE);
  const placed = network === undefined ? image : image.withNetwork(network).withNetworkAliases("minio");
  const container = await placed
    .withEnvironment({ MINIO_ROOT_USER: credentials.accessKeyId, MINIO_ROOT_PASSWORD: credentials.secretAccessKey })
    .withCommand(["server", "/data"])
    .withExposedPorts(9000)
    .withWaitStrategy(Wait.forHttp("/minio/health/ready", 9000))
    .withStartupTimeout(120_000)
    .start();
  const endpoint = `http://${container.getHost()}:${container.getMappedPort(9000)}`;
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  return {
    endpoint,
    credentials,
    storeOptions: { endpoint, credentials },
    createBucket: async (name = `test-${randomBytes(6).toString("hex")}`) => {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    countUnfinished: async (bucket, prefix) => {
      const output = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix }));
      return output.Uploads?.length ?? 0;
    },
    stop: async () => {
      client.destroy();
      await container.stop();
    },
  };
}
