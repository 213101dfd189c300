import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { type Clock, createSystemClock, randomHex, randomUniform } from "../clock.ts";
import { SILENT_LOGGER, type WorkflowLogger } from "../failure.ts";
import { parseOperationName } from "../operation-keys.ts";
import { createKeyedLocks } from "../operation-scope.ts";
import { joinOperation, type StartScope, startOperation } from "../operation-start.ts";
import { watchRecord } from "../operation-watch.ts";
import { assertNotOwned } from "../ownership.ts";
import { queuedState } from "../stored-state.ts";
import type { WorkflowDriver, WorkflowRegistry } from "../workflow.ts";
import { createActivities } from "./activities.ts";
import { cancelOperation } from "./cancel-operation.ts";
import { connectOperationClient, type OperationClient } from "./operation-client.ts";
import type { OperationTimes } from "./operation-protocol.ts";
import { type OperationWorker, openOperationWorker } from "./operation-worker.ts";
import { reconcile } from "./reconcile.ts";
import { createRunKeeper } from "./run-keeper.ts";
import { createSharedState, type SharedState } from "./shared-state.ts";
import { createStateFeeds, type StateFeeds } from "./state-feeds.ts";
import { deleteFromStore, expireFromStore } from "./store-deletion.ts";
import { listFromStore } from "./store-listing.ts";
import type { TemporalSettings } from "./temporal-settings.ts";

/** What `createTemporalDriver` needs; times in ms. */
export interface TemporalDriverOptions {
  readonly store: ObjectStore;
  readonly registry: WorkflowRegistry;
  readonly temporal: TemporalSettings;
  /** Whether this process runs steps, or only asks for them; default true. */
  readonly runsWorker?: boolean;
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the jitter of retries. */
  readonly random?: () => number;
  /** `nBytes` unguessable bytes as hex, for ids. */
  readonly randomHex?: (nBytes: number) => string;
  readonly logger?: WorkflowLogger;
  /** Steps that run in this process at once; default 16. Others wait for this or another worker. */
  readonly maxConcurrentSteps?: number;
  /** Least time between two writes of one step's progress; default 1 000. */
  readonly progressIntervalMs?: number;
  /** How soon a watcher sees what another process wrote; default 500. What this one wrote it sees at once. */
  readonly pollIntervalMs?: number;
  /** How long a cancelled operation waits for its steps; default 1 300: with a heartbeat, its outcome is there within 2 s. */
  readonly cancelGraceMs?: number;
  /** How long `close` waits for the running steps; default 5 000. */
  readonly closeGraceMs?: number;
  /** Silence after which the worker of a step counts as dead and the step goes to another; default 10 000. */
  readonly heartbeatTimeoutMs?: number;
  /** Pause between two heartbeats, within which a cancel request reaches a step; default 400. */
  readonly heartbeatIntervalMs?: number;
  /** Upper bound of the first retry's pause; default 1 000. It doubles with every retry. */
  readonly retryBaseDelayMs?: number;
  /** Upper bound of any retry's pause; default 30 000. */
  readonly retryMaxDelayMs?: number;
  /** Pause between two looks for operations that the cluster does not know; default 60 000. */
  readonly reconcileIntervalMs?: number;
  /** Told once when the worker ended by itself: the gateway should stop serving and exit. */
  readonly onWorkerFailed?: (error: DomainError) => void;
  /** Silence after which an embedded driver on another machine counts as dead; default 20 000. */
  readonly leaseTtlMs?: number;
  /** Ends the start. */
  readonly signal?: AbortSignal;
}

/** The parts of a running driver. */
interface Parts {
  readonly options: TemporalDriverOptions;
  readonly clock: Clock;
  readonly logger: WorkflowLogger;
  readonly states: SharedState;
  readonly feeds: StateFeeds;
  readonly client: OperationClient;
  readonly worker: OperationWorker | undefined;
  readonly stopping: AbortController;
}

/**
 * Opens the driver that runs operations on a Temporal cluster; `createTemporalDriver` loads it when it is wanted.
 *
 * @throws {DomainError} `UNREACHABLE` when the cluster does not answer; `CONFLICT` when an embedded driver runs the operations
 *   of this store; whatever the store throws.
 */
export async function openTemporalDriver(options: TemporalDriverOptions): Promise<WorkflowDriver> {
  const clock = options.clock ?? createSystemClock();
  const logger = options.logger ?? SILENT_LOGGER;
  const { store, signal, leaseTtlMs: ttlMs = 20_000 } = options;
  await assertNotOwned({ store, clock, ttlMs, signal });
  const states = createSharedState(store);
  const pollIntervalMs = options.pollIntervalMs ?? 500;
  const feeds = createStateFeeds({ states, clock, logger, pollIntervalMs });
  const client = await connectOperationClient(options.temporal, timesOf(options));
  const stopping = new AbortController();
  try {
    const worker = options.runsWorker === false ? undefined : await openWorker(options, { clock, logger, states });
    const parts = { options, clock, logger, states, feeds, client, worker, stopping };
    if (worker !== undefined) void keepReconciled(parts);
    return createDriver(parts);
  } catch (error) {
    await client.close();
    throw error;
  }
}

function timesOf(options: TemporalDriverOptions): OperationTimes {
  return {
    heartbeatTimeoutMs: options.heartbeatTimeoutMs ?? 10_000,
    cancelGraceMs: options.cancelGraceMs ?? 1_300,
    retryBaseDelayMs: options.retryBaseDelayMs ?? 1_000,
    retryMaxDelayMs: options.retryMaxDelayMs ?? 30_000,
  };
}

async function openWorker(
  options: TemporalDriverOptions,
  parts: Pick<Parts, "clock" | "logger" | "states">,
): Promise<OperationWorker> {
  const { store, registry } = options;
  const { retryBaseDelayMs, cancelGraceMs } = timesOf(options);
  const runs = createRunKeeper(store, registry);
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? 400;
  const activities = createActivities({
    ...{ ...parts, store, runs, heartbeatIntervalMs, retryBaseDelayMs, cancelGraceMs },
    random: options.random ?? randomUniform,
    randomHex: options.randomHex ?? randomHex,
    progressIntervalMs: options.progressIntervalMs ?? 1_000,
  });
  return await openOperationWorker({
    ...{ settings: options.temporal, activities, logger: parts.logger, heartbeatIntervalMs },
    maxConcurrentSteps: options.maxConcurrentSteps ?? 16,
    closeGraceMs: options.closeGraceMs ?? 5_000,
    onFailed: (error) => options.onWorkerFailed?.(error),
  });
}

function createDriver({ options, clock, states, feeds, client, worker, stopping }: Parts): WorkflowDriver {
  const { store, registry } = options;
  const { signal: stopped } = stopping;
  const assertOpen = (): void => {
    if (stopped.aborted) throw abortErrorFromSignal(stopped);
  };
  const startScope: StartScope = {
    ...{ store, clock, registry, randomHex: options.randomHex ?? randomHex, locks: createKeyedLocks() },
    assertMayWrite: async () => assertOpen(),
    findState: (ref) => states.find(ref),
    async admit(entry) {
      await client.ensureStarted(entry);
      return queuedState(entry);
    },
  };
  const close = async (): Promise<void> => {
    stopping.abort(new DomainError("UNREACHABLE", "this gateway is stopping"));
    feeds.wake();
    await worker?.close();
    await client.close();
  };
  let closed: Promise<void> | undefined;

  return {
    async start(request) {
      assertOpen();
      return await startOperation(startScope, request);
    },
    async join(request) {
      assertOpen();
      return await joinOperation(startScope, request);
    },
    async get(name) {
      assertOpen();
      return await states.read(parseOperationName(name));
    },
    async list(project, page) {
      assertOpen();
      return await listFromStore(store, states, project, page);
    },
    async cancel(name) {
      assertOpen();
      await cancelOperation({ store, states, client }, parseOperationName(name));
    },
    async delete(name) {
      assertOpen();
      await deleteFromStore(store, states, parseOperationName(name));
    },
    async *watch(name, afterSequence, signal) {
      assertOpen();
      const { feed, leave } = await feeds.open(parseOperationName(name));
      try {
        yield* watchRecord(feed, { afterSequence, signal, assertOpen });
      } finally {
        leave();
      }
    },
    async expireOperations({ olderThanMs }) {
      assertOpen();
      return await expireFromStore(store, states, clock.nowMs() - olderThanMs);
    },
    close: () => (closed ??= close()),
  };
}

/** Looks after open operations until the driver stops. Never rejects. */
async function keepReconciled(parts: Parts): Promise<void> {
  const { options, clock, logger, stopping } = parts;
  const { signal } = stopping;
  while (!signal.aborted) {
    try {
      await reconcile({ ...parts, store: options.store });
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, "open operations could not be looked after");
    }
    await clock.delay(options.reconcileIntervalMs ?? 60_000, signal).catch(() => undefined); // Ends by the stop.
  }
}
