import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { S3Client } from "@aws-sdk/client-s3";
import type { ChecksumMode, ResolvedStoreOptions } from "../store-options.ts";
import { limitConnecting } from "./connect-limit.ts";

const CHECKSUMS = { when_supported: "WHEN_SUPPORTED", when_required: "WHEN_REQUIRED" } as const;

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * The SDK's client: no retries of its own (ours know what can be repeated), at most `maxSockets` sockets, time limits on
 * connecting and on silence. Who finds no free socket waits for one as long as its signal allows.
 */
export function createS3Client(
  options: ResolvedStoreOptions,
  checksumMode: ChecksumMode,
  maxSockets: number,
): S3Client {
  const agentOptions = { keepAlive: true, maxSockets, scheduling: "fifo" as const };
  return new S3Client({
    region: options.region,
    forcePathStyle: options.forcePathStyle,
    maxAttempts: 1,
    requestChecksumCalculation: CHECKSUMS[checksumMode],
    responseChecksumValidation: CHECKSUMS[checksumMode],
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    requestHandler: {
      // Agents of our own: the handler would open one without bounds for every request that expects 100-continue.
      httpAgent: limitConnecting(new HttpAgent(agentOptions), options.connectTimeoutMs),
      httpsAgent: limitConnecting(new HttpsAgent(agentOptions), options.connectTimeoutMs),
      connectionTimeout: 0,
      socketTimeout: options.idleTimeoutMs,
      // Waiting for a socket is how the bound works, nothing to warn of.
      logger: silent,
    },
  });
}
