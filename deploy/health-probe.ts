/**
 * @file Asks a service on this machine for its health, as an image's HEALTHCHECK: exit status 0 when it is SERVING,
 * else 1 with the reason. One `grpc.health.v1` Check over plain HTTP/2 and nothing imported, so that a probe every few
 * seconds costs little.
 *
 * `node deploy/health-probe.ts [host:port]`; by default this machine and `PORT`.
 */
import { connect, type IncomingHttpHeaders } from "node:http2";

/** Bytes before a gRPC message: one for compression, four for its length. */
const PREFIX_BYTES = 5;

/** `HealthCheckRequest` of the whole server: an empty message. */
const REQUEST = new Uint8Array(PREFIX_BYTES);

/** `HealthCheckResponse { status: SERVING }`: field 1, varint 1. */
const SERVING = Uint8Array.of(0, 0, 0, 0, 2, 0x08, 0x01);

const TIMEOUT_MS = 4000;

/** Why the service is not healthy; `undefined` when it is. */
async function whyUnhealthy(address: string): Promise<string | undefined> {
  const session = connect(`http://${address}`);
  const { promise: failed, reject } = Promise.withResolvers<never>();
  session.once("error", reject);
  session.setTimeout(TIMEOUT_MS, () => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  try {
    return await Promise.race([check(session), failed]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    session.destroy();
  }
}

async function check(session: ReturnType<typeof connect>): Promise<string | undefined> {
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let status: string | undefined;
  const read = (headers: IncomingHttpHeaders) => (status = headers["grpc-status"]?.toString() ?? status);
  // An answer without a message has its status in the headers.
  stream.on("response", read);
  stream.on("trailers", read);
  stream.end(REQUEST);
  const answer = Buffer.concat(await stream.toArray());
  if (status !== "0") return `gRPC status ${status ?? "missing"}`;
  return answer.equals(SERVING) ? undefined : "not serving";
}

const address = process.argv[2] ?? `127.0.0.1:${process.env.PORT}`;
const reason = await whyUnhealthy(address);
if (reason !== undefined) {
  console.error(`unhealthy: ${reason}`);
  process.exitCode = 1;
}
