/**
 * @file Asks a service on this machine for its health, as an image's HEALTHCHECK: exit status 0 when it is SERVING,
 * else 1 with the reason. One `grpc.health.v1` Check over HTTP/2 and no package imported, so that a probe every few seconds
 * costs little.
 *
 * `node deploy/health-probe.ts [host:port]`; by default this machine and `PORT`. Where the service has a certificate
 * (`PARFOCAL_TLS_CERT`) it is asked over TLS; where it also asks callers for theirs it is shown its own, so its CA must be the
 * callers' and `PARFOCAL_OPEN_PROBES` true, or the policy must let that name probe.
 */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";

/** Bytes before a gRPC message: one for compression, four for its length. */
const PREFIX_BYTES = 5;

/** `HealthCheckRequest` of the whole server: an empty message. */
const REQUEST = new Uint8Array(PREFIX_BYTES);

/** `HealthCheckResponse { status: SERVING }`: field 1, varint 1. */
const SERVING = Uint8Array.of(0, 0, 0, 0, 2, 0x08, 0x01);

const TIMEOUT_MS = 4000;

/** Why the service is not healthy; `undefined` when it is. */
async function whyUnhealthy(address: string): Promise<string | undefined> {
  const session = connectTo(address);
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

function connectTo(address: string): ClientHttp2Session {
  const { PARFOCAL_TLS_CERT: cert, PARFOCAL_TLS_KEY: key } = process.env;
  if (!cert || !key) return connect(`http://${address}`);
  // The service asks itself: its certificate is for the name that others call it by, not for loopback.
  const identity = { cert: readFileSync(cert), key: readFileSync(key) };
  return connect(`https://${address}`, { ...identity, rejectUnauthorized: false });
}

async function check(session: ClientHttp2Session): Promise<string | undefined> {
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
