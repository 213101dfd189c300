/**
 * @file Makes the bucket of `PARFOCAL_STORE` where it is missing, on a store that starts empty. The services never make
 * buckets: their credentials need no right to.
 */
import { BucketAlreadyExists, BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";

const {
  PARFOCAL_STORE: uri = "",
  PARFOCAL_S3_ENDPOINT: endpoint,
  PARFOCAL_S3_REGION: region = "us-east-1",
} = process.env;
const [, bucket] = /^s3:\/\/([^/@\s]+)/.exec(uri) ?? [];
if (bucket === undefined) throw new Error("PARFOCAL_STORE is not s3://bucket/prefix");

const client = new S3Client({ region, forcePathStyle: true, maxAttempts: 10, ...(endpoint ? { endpoint } : {}) });
try {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  console.log("made the bucket");
} catch (error) {
  if (!(error instanceof BucketAlreadyOwnedByYou || error instanceof BucketAlreadyExists)) throw error;
  console.log("the bucket is there");
} finally {
  client.destroy();
}
