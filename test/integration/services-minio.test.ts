import { afterAll, beforeAll, describe } from "vitest";
import { describePretrainAndTrain } from "../lib/pretrain-and-train.ts";
import { describeTrainAndPredict } from "../lib/train-and-predict.ts";
import { whyNoDocker } from "./docker.ts";
import { startMinio } from "./minio.ts";
import type { S3Server } from "./s3-server.ts";

const reason = await whyNoDocker();
if (reason !== undefined) console.warn(`skipping all services on MinIO: ${reason}`);

describe.skipIf(reason !== undefined)("all services on MinIO", () => {
  let server: S3Server;

  beforeAll(async () => {
    server = await startMinio();
  });
  afterAll(async () => {
    await server?.stop();
  });

  const storeEnv = async () => ({
    PARFOCAL_STORE: `s3://${await server.createBucket()}/hospital`,
    PARFOCAL_S3_ENDPOINT: server.endpoint,
    AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
  });

  describeTrainAndPredict("MinIO", storeEnv);
  describePretrainAndTrain("MinIO", storeEnv);
});
