import { randomBytes } from "node:crypto";
import { CreateBucketCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import type { StoreCredentials, StoreOptions } from "@parfocal/store";
import type { StartedTestContainer } from "testcontainers";

/** An S3 server in a container. */
export interface S3Server {
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

/** Credentials that no other run has. */
export function randomCredentials(): StoreCredentials {
  return { accessKeyId: "parfocal", secretAccessKey: randomBytes(16).toString("hex") };
}

/** The server in a container that was started, behind one of its ports. */
export function s3ServerIn(container: StartedTestContainer, port: number, credentials: StoreCredentials): S3Server {
  const endpoint = `http://${container.getHost()}:${container.getMappedPort(port)}`;
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
