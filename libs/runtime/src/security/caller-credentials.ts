import { readFileSync } from "node:fs";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import type { Logger } from "../telemetry/logger.ts";
import { createTlsFiles, type TlsPaths } from "./tls-files.ts";

/** Pause between looks for renewed files of a caller, ms. */
const RELOAD_MS = 10_000;

/**
 * Credentials of a caller over TLS: it trusts the authorities of the file, or without one those of the system, and shows
 * its own certificate when it has one. Files of its own are looked at again, as a server does.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming where the path came from.
 */
export function createCallerCredentials(paths: TlsPaths, logger: Logger): ChannelCredentials {
  if (paths.ca.path !== "") return createTlsFiles(paths, RELOAD_MS, logger).channelCredentials();
  if (paths.cert.path === "" && paths.key.path === "") return credentials.createSsl();
  // Says what is wrong with the pair, which gRPC would not.
  createTlsFiles(paths, RELOAD_MS, logger).close();
  return credentials.createSsl(null, readFileSync(paths.key.path), readFileSync(paths.cert.path));
}
