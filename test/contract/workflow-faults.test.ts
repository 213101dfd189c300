import { describeStoreFaults } from "../lib/store-fault-workflows.ts";
import { startFaultServer } from "./s3-fault-server.ts";

describeStoreFaults("an S3 server", async () => {
  const server = await startFaultServer();
  let nBuckets = 0;
  return {
    endpoint: server.storeOptions.endpoint ?? "",
    credentials: server.storeOptions.credentials ?? { accessKeyId: "", secretAccessKey: "" },
    createBucket: async () => `bucket-${++nBuckets}`,
    stop: () => server.stop(),
  };
});
