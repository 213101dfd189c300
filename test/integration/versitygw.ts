import { GenericContainer, Wait } from "testcontainers";
import { randomCredentials, type S3Server, s3ServerIn } from "./s3-server.ts";

/** The version that the suite was held against; `PARFOCAL_TEST_VERSITYGW_IMAGE` names another. */
const DEFAULT_IMAGE = "versity/versitygw:v1.8.0";
const PORT = 7070;

/** Starts a VersityGW server over a folder of its container, and waits until it answers. */
export async function startVersitygw(): Promise<S3Server> {
  const credentials = randomCredentials();
  const container = await new GenericContainer(process.env.PARFOCAL_TEST_VERSITYGW_IMAGE || DEFAULT_IMAGE)
    .withEnvironment({
      ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    })
    .withCommand(["--quiet", "--port", `:${PORT}`, "--health", "/health", "posix", "/data"])
    .withExposedPorts(PORT)
    .withWaitStrategy(Wait.forHttp("/health", PORT))
    .withStartupTimeout(120_000)
    .start();
  return s3ServerIn(container, PORT, credentials);
}
