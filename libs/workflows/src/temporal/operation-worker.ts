import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DomainError } from "@parfocal/errors";
import { ApplicationFailure } from "@temporalio/common";
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from "@temporalio/worker";
import type { WorkflowLogger } from "../failure.ts";
import type { OperationActivities } from "./operation-protocol.ts";
import { temporalError } from "./temporal-errors.ts";
import { sdkTls, type TemporalSettings, type TemporalTls } from "./temporal-settings.ts";

/** A process that runs steps of operations. */
export interface OperationWorker {
  /** Takes no more work, lets what runs settle for the grace it was opened with, and disconnects. */
  close(): Promise<void>;
}

/** What {@link openOperationWorker} needs; times in ms. */
export interface OperationWorkerOptions {
  readonly settings: TemporalSettings;
  readonly activities: OperationActivities;
  readonly logger: WorkflowLogger;
  /** Steps that run here at once; others wait for this or another worker. */
  readonly maxConcurrentSteps: number;
  readonly heartbeatIntervalMs: number;
  readonly closeGraceMs: number;
  /** Told once when the worker ended by itself: the process should stop and start again. */
  readonly onFailed: (error: DomainError) => void;
}

/** How long a task waits for the worker that has its operation in memory; after a crash it is this much late, ms. */
const STICKY_MS = 2_000;
/** Operations whose deterministic half stays in memory. */
const MAX_CACHED = 500;

/** Opens a worker on the queue of the settings. @throws {DomainError} `UNREACHABLE` when the cluster does not answer. */
export async function openOperationWorker(options: OperationWorkerOptions): Promise<OperationWorker> {
  const { settings, logger, heartbeatIntervalMs, closeGraceMs } = options;
  const { address, namespace, taskQueue } = settings;
  installRuntime(logger);
  const connection = await connect(address, settings.tls);
  try {
    const worker = await Worker.create({
      ...{ connection, namespace, taskQueue, activities: options.activities },
      workflowBundle: await bundleOperationWorkflow(logger),
      maxConcurrentActivityTaskExecutions: options.maxConcurrentSteps,
      // A throttled heartbeat would bring a cancel request late.
      maxHeartbeatThrottleInterval: heartbeatIntervalMs,
      defaultHeartbeatThrottleInterval: heartbeatIntervalMs,
      shutdownGraceTime: 0,
      shutdownForceTime: closeGraceMs,
      stickyQueueScheduleToStartTimeout: STICKY_MS,
      maxCachedWorkflows: MAX_CACHED,
    });
    return superviseWorker(worker, connection, options);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function connect(address: string, settings: TemporalTls | undefined): Promise<NativeConnection> {
  const tls = sdkTls(settings);
  try {
    return await NativeConnection.connect({ address, ...(tls === undefined ? {} : { tls }) });
  } catch (error) {
    throw temporalError(error);
  }
}

function superviseWorker(
  worker: Worker,
  connection: NativeConnection,
  { logger, onFailed }: OperationWorkerOptions,
): OperationWorker {
  let isClosing = false;
  const running = worker.run().catch((error: unknown) => {
    if (isClosing) return; // Steps that did not settle in time: the server gives them to another worker.
    logger.error({ err: error }, "the Temporal worker of this gateway ended");
    onFailed(temporalError(error));
  });
  return {
    async close() {
      isClosing = true;
      if (worker.getState() === "RUNNING") worker.shutdown();
      await running;
      await connection.close();
    },
  };
}

let bundle: ReturnType<typeof bundleWorkflowCode> | undefined;

/** What an image was built with: making a bundle needs a folder that programs may run from, and a second of start-up. */
const PREBUILT_PATH = fileURLToPath(new URL("operation-workflow.bundle.js", import.meta.url));

/** Bundles the deterministic half with the SDK's webpack, once for each process: a second or two of one core. */
function bundleOperationWorkflow(logger: WorkflowLogger) {
  if (existsSync(PREBUILT_PATH)) return { codePath: PREBUILT_PATH };
  const workflowsPath = fileURLToPath(new URL("operation-workflow.ts", import.meta.url));
  bundle ??= bundleWorkflowCode({ workflowsPath, logger: sdkLogger(logger) });
  return bundle;
}

let isRuntimeInstalled = false;

/** The SDK has one runtime for each process. It must leave signals to us: a gateway ends in an order of its own. */
function installRuntime(logger: WorkflowLogger): void {
  if (isRuntimeInstalled) return;
  isRuntimeInstalled = true;
  const telemetryOptions = { logging: { forward: {}, filter: { core: "WARN", other: "ERROR" } } } as const;
  Runtime.install({ logger: sdkLogger(logger), telemetryOptions, shutdownSignals: [] });
}

/** The SDK tells of every failed try of a step too; its code is enough, what nobody foresaw is logged where it is met. */
function sdkLogger(logger: WorkflowLogger): DefaultLogger {
  return new DefaultLogger("WARN", ({ level, message, meta }) => {
    const { error } = (meta ?? {}) as { readonly error?: unknown };
    const fields =
      error instanceof ApplicationFailure ? { sdk: message, code: error.type } : { sdk: message, err: error };
    if (level === "ERROR") logger.error(fields, "the Temporal SDK reports an error");
    else logger.warn(fields, "the Temporal SDK warns");
  });
}
