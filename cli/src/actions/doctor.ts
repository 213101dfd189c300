import { statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { dirname } from "node:path";
import { listDevices } from "@parfocal/engine";
import { grpcHealthV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { openStore, probeStore, storeOptionsFromEnv } from "@parfocal/store";
import { createQuietLogger, DEFAULT_STORE } from "../client/connect.ts";
import { FREE_PORTS, startEmbedded } from "../client/embedded.ts";
import { endpointPathOf, findEndpoint } from "../client/endpoint-file.ts";
import { describeError, EXIT_CODES, type ExitCode } from "../exit-codes.ts";
import { formatBytes } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** What a check found. `warning`: works, but the user should know. `absent`: not here, and need not be. */
type Status = "ok" | "warning" | "absent" | "failed";

interface Check {
  readonly check: string;
  readonly status: Status;
  readonly detail: string;
}

const GIB = 1024 ** 3;
const MIN_NODE = 24;
/** Below this a cohort of ordinary size does not fit. */
const MIN_FREE_DISK_BYTES = 5 * GIB;
const MIN_MEMORY_BYTES = 2 * GIB;
const HEALTH_MS = 5000;
const MARKS: Readonly<Record<Status, string>> = { ok: "✓", warning: "!", absent: "–", failed: "✗" };

/** `parfocal doctor`. */
export async function runDoctor(context: CommandContext): Promise<ExitCode> {
  const { output } = context;
  const checks: Check[] = [];
  const report = (found: readonly Check[]): void => {
    for (const each of found) {
      checks.push(each);
      output.record(each);
      output.line(`${MARKS[each.status]} ${each.check.padEnd(20)} ${each.detail}`);
    }
  };
  report([checkNode(), checkMemory()]);
  report(await attempt("disk", () => checkDisk(context)));
  report(await attempt("store", () => checkStore(context)));
  report(await attempt("devices", () => checkDevices(context)));
  report(await attempt("services", () => checkServices(context)));
  const nFailed = checks.filter(({ status }) => status === "failed").length;
  output.line(nFailed === 0 ? "\neverything needed is there" : `\n${nFailed} of ${checks.length} checks failed`);
  return nFailed === 0 ? EXIT_CODES.ok : EXIT_CODES.failed;
}

async function attempt(check: string, work: () => Promise<readonly Check[]>): Promise<readonly Check[]> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = describeError(error);
    return [{ check, status: "failed", detail: `${code}: ${message}` }];
  }
}

function checkNode(): Check {
  const isNew = Number(process.versions.node.split(".")[0]) >= MIN_NODE;
  const detail = `${process.versions.node} on ${process.platform}-${process.arch}`;
  return {
    check: "node",
    status: isNew ? "ok" : "failed",
    detail: isNew ? detail : `${detail}; ${MIN_NODE} is needed`,
  };
}

function checkMemory(): Check {
  const available = process.availableMemory();
  const detail = `${formatBytes(available)} available of ${formatBytes(totalmem())} (${formatBytes(freemem())} unused)`;
  return { check: "memory", status: available < MIN_MEMORY_BYTES ? "warning" : "ok", detail };
}

async function checkDisk({ env }: CommandContext): Promise<readonly Check[]> {
  const path = endpointPathOf(env.PARFOCAL_STORE || DEFAULT_STORE);
  if (path === undefined) return [{ check: "disk", status: "absent", detail: "the store is no local folder" }];
  const { bavail, bsize } = await nearestFolder(path);
  const free = bavail * bsize;
  return [
    {
      check: "disk",
      status: free < MIN_FREE_DISK_BYTES ? "warning" : "ok",
      detail: `${formatBytes(free)} free for the store`,
    },
  ];
}

/** The disk of a folder that need not be there yet. */
async function nearestFolder(path: string): Promise<{ readonly bavail: number; readonly bsize: number }> {
  const parent = dirname(path);
  const found = await statfs(parent).catch(() => undefined);
  return found ?? nearestFolder(parent);
}

async function checkStore({ env, signal }: CommandContext): Promise<readonly Check[]> {
  const uri = env.PARFOCAL_STORE || DEFAULT_STORE;
  const store = openStore(uri, storeOptionsFromEnv(env));
  try {
    const probe = await probeStore(store, { signal });
    const isExact = probe.conditionalPuts === "exact" && probe.conditionalUpdates === "exact";
    const where = uri.startsWith("s3:") ? "S3" : store.rootUri;
    const isRefused = probe.conditionalPuts === "refused" || probe.conditionalUpdates === "refused";
    const detail = isExact
      ? `${where}: reachable; of ${probe.nWriters} racing writers one wins`
      : isRefused
        ? `${where}: refuses conditional writes: nothing can be committed to it`
        : `${where}: racing writers both win (creates ${probe.createWinners.join(", ")}; updates ${probe.updateWinners.join(", ")}): use one gateway only`;
    return [{ check: "store", status: isExact ? "ok" : "warning", detail }];
  } finally {
    store.close();
  }
}

async function checkDevices({ signal }: CommandContext): Promise<readonly Check[]> {
  const devices = await listDevices({ signal });
  return devices.map(({ name, isAvailable, detail }) => {
    const missing: Status = name === "cpu" ? "failed" : "absent";
    return { check: `device ${name}`, status: isAvailable ? "ok" : missing, detail: detail.split("\n")[0] ?? "" };
  });
}

/** Asks the gateway that runs, else starts the services here and asks each. */
async function checkServices({ env, gateway }: CommandContext): Promise<readonly Check[]> {
  const running = gateway ?? (await findEndpoint(env.PARFOCAL_STORE || DEFAULT_STORE));
  if (running !== undefined) return [await checkHealth("gateway", running)];
  const embedded = await startEmbedded(env, FREE_PORTS, createQuietLogger(env));
  try {
    return await Promise.all(Object.entries(embedded.addresses).map(([name, address]) => checkHealth(name, address)));
  } finally {
    await embedded.close(true);
  }
}

async function checkHealth(name: string, address: string): Promise<Check> {
  const health = createStageClient(grpcHealthV1.HealthDefinition, address, { defaultTimeoutMs: HEALTH_MS });
  try {
    const { status } = await health.calls.check({ service: "" });
    const isServing = status === grpcHealthV1.HealthCheckResponse_ServingStatus.SERVING;
    return {
      check: `service ${name}`,
      status: isServing ? "ok" : "failed",
      detail: isServing ? `serves on ${address}` : `does not serve on ${address}`,
    };
  } catch (error) {
    const { code, message } = describeError(error);
    return { check: `service ${name}`, status: "failed", detail: `${address}: ${code}: ${message}` };
  } finally {
    health.close();
  }
}
