import { GenericContainer, type StartedNetwork, Wait } from "testcontainers";
import { randomCredentials, type S3Server, s3ServerIn } from "./s3-server.ts";

/** The last release with published images; `PARFOCAL_TEST_MINIO_IMAGE` names another. */
const DEFAULT_IMAGE = "minio/minio:RELEASE.2025-09-07T16-13-09Z";
const PORT = 9000;

/** What containers of {@link startMinio}'s network call the server. */
export const MINIO_ENDPOINT_INSIDE = `http://minio:${PORT}`;

/** Starts a MinIO server, on `network` as well when one is given, and waits until it answers. */
export async function startMinio(network?: StartedNetwork): Promise<S3Server> {
  const credentials = randomCredentials();
  const image = new GenericContainer(process.env.PARFOCAL_TEST_MINIO_IMAGE || DEFAULT_IMAGE);
  const placed = network === undefined ? image : image.withNetwork(network).withNetworkAliases("minio");
  const container = await placed
    .withEnvironment({ MINIO_ROOT_USER: credentials.accessKeyId, MINIO_ROOT_PASSWORD: credentials.secretAccessKey })
    .withCommand(["server", "/data"])
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp("/minio/health/ready", PORT))
    .withStartupTimeout(120_000)
    .start();
  return s3ServerIn(container, PORT, credentials);
}
