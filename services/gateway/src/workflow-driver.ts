import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DomainError } from "@parfocal/errors";
import type { ConfigOf, LogFields, Logger } from "@parfocal/runtime";
import type { ObjectStore } from "@parfocal/store";
import {
  createEmbeddedDriver,
  createTemporalDriver,
  type TemporalTls,
  type WorkflowDriver,
  type WorkflowLogger,
  type WorkflowRegistry,
} from "@parfocal/workflows";
import type { workflowSettings } from "./workflow-settings.ts";

type Config = ConfigOf<typeof workflowSettings> & { readonly maxOperations: number };

/**
 * Opens the driver that the settings choose. When it can no longer do its work (another gateway took the store over, the worker
 * broke), this process is asked to stop in good order.
 *
 * @throws {DomainError} as {@link createEmbeddedDriver} and {@link createTemporalDriver}; `INVALID_ARGUMENT` for a certificate
 *   without a key, for files that cannot be read or hold something else, and for a key of another certificate.
 */
export async function openWorkflowDriver(
  config: Config,
  store: ObjectStore,
  registry: WorkflowRegistry,
  logger: Logger,
): Promise<WorkflowDriver> {
  const stop = (): void => void process.kill(process.pid, "SIGTERM");
  const common = { store, registry, logger: workflowLogger(logger) };
  if (config.workflows === "embedded") {
    return await createEmbeddedDriver({ ...common, maxConcurrent: config.maxOperations, onOwnershipLost: stop });
  }
  const tls = await temporalTls(config);
  return await createTemporalDriver({
    ...common,
    temporal: {
      address: config.temporalAddress,
      namespace: config.temporalNamespace,
      taskQueue: config.temporalTaskQueue,
      ...(tls === undefined ? {} : { tls }),
    },
    runsWorker: config.temporalRole !== "client",
    maxConcurrentSteps: config.temporalMaxSteps,
    heartbeatTimeoutMs: config.temporalLostAfterMs,
    onWorkerFailed: stop,
  });
}

async function temporalTls(config: Config): Promise<TemporalTls | undefined> {
  const { temporalTlsCa: ca, temporalTlsCert: cert, temporalTlsKey: key, temporalTlsServerName: serverName } = config;
  if ((cert === "") !== (key === "")) {
    throw new DomainError("INVALID_ARGUMENT", "PARFOCAL_TEMPORAL_TLS_CERT and PARFOCAL_TEMPORAL_TLS_KEY go together");
  }
  if (!config.temporalTls && ca === "" && cert === "") return undefined;
  return {
    ...(ca === "" ? {} : { rootCertificate: await readCertificates(ca) }),
    ...(cert === "" ? {} : await readPair(cert, key)),
    ...(serverName === "" ? {} : { serverName }),
  };
}

async function readPair(cert: string, key: string) {
  const pair = { clientCertificate: await readCertificates(cert), clientKey: await readKey(key) };
  const secret = createPrivateKey(Buffer.from(pair.clientKey));
  if (new X509Certificate(pair.clientCertificate).checkPrivateKey(secret)) return pair;
  throw new DomainError("INVALID_ARGUMENT", `the key in ${key} is not that of the certificate in ${cert}`);
}

function readCertificates(path: string): Promise<Uint8Array> {
  return readPem(path, "certificate", (pem) => new X509Certificate(pem));
}

function readKey(path: string): Promise<Uint8Array> {
  return readPem(path, "key without a passphrase", (pem) => createPrivateKey(pem));
}

/** The SDK would take a server that does not answer for the cause of what `parse` refuses. */
async function readPem(path: string, content: string, parse: (pem: string) => unknown): Promise<Uint8Array> {
  const file = `the file ${path} of the Temporal TLS settings`;
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new DomainError("INVALID_ARGUMENT", `${file} cannot be read`, { cause });
  });
  try {
    parse(bytes.toString());
  } catch (cause) {
    throw new DomainError("INVALID_ARGUMENT", `${file} holds no PEM ${content}`, { cause });
  }
  return bytes;
}

function workflowLogger(logger: Logger): WorkflowLogger {
  return {
    warn: (fields, message) => logger.warn(message, logFields(fields)),
    error: (fields, message) => logger.error(message, logFields(fields)),
  };
}

/** What of a driver's words the log of a gateway has a place for. */
function logFields({ err, incident, attempt, code }: Readonly<Record<string, unknown>>): LogFields {
  return {
    ...(err === undefined ? {} : { error: err }),
    ...(typeof incident === "string" ? { incidentId: incident } : {}),
    ...(typeof attempt === "number" ? { count: attempt } : {}),
    ...(typeof code === "string" ? { code } : {}),
  };
}
