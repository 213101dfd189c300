import { describeStoreFaults, type Upstream } from "../lib/store-fault-workflows.ts";
import { startFaultServer } from "./s3-fault-server.ts";

async function startUpstream(): Promise<Upstream> {
  const server = await startFaultServer();
  let nBuckets = 0;
  return {
    endpoint: server.storeOptions.endpoint ?? "",
    credentials: server.storeOptions.credentials ?? { accessKeyId: "", secretAccessKey: "" },
    createBucket: async () => `bucket-${++nBuckets}`,
    stop: () => server.stop(),
  };
}

describeStoreFaults("an S3 server", startUpstream, { checksUploads: false, hasManyRounds: true });
