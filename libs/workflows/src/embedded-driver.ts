import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { type Clock, createSystemClock, randomHex, randomUniform } from "./clock.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { SILENT_LOGGER, type WorkflowLogger } from "./failure.ts";
import { deleteOperation, expireDone } from "./operation-deletion.ts";
import { createOperationIndex, refKey } from "./operation-index.ts";
import { type OperationRef, parseOperationName } from "./operation-keys.ts";
import { listOperations } from "./operation-listing.ts";
import { createOperationPool } from "./operation-pool.ts";
import { recoverOperations } from "./operation-recovery.ts";
import { createKeyedLocks, type OperationScope } from "./operation-scope.ts";
import { joinOperation, type StartScope, startOperation } from "./operation-start.ts";
import { watchRecord } from "./operation-watch.ts";
import { acquireOwnership, type Ownership } from "./ownership.ts";
import { isDone, readStoredState } from "./stored-state.ts";
import type { OperationState, WorkflowDriver, WorkflowRegistry } from "./workflow.ts";

/** What {@link createEmbeddedDriver} needs; times in ms. */
export interface EmbeddedDriverOptions {
  readonly store: ObjectStore;
  readonly registry: WorkflowRegistry;
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the jitter of retries. */
  readonly random?: () => number;
  /** `nBytes` unguessable bytes as hex, for ids. */
  readonly randomHex?: (nBytes: number) => string;
  readonly logger?: WorkflowLogger;
  /** Operations that run at once; default 4. The others wait in the order of their creation. */
  readonly maxConcurrent?: number;
  /** Least time between two writes of one operation's progress; default 1 000. */
  readonly progressIntervalMs?: number;
  /** How long a cancelled operation waits for its steps; default 1 500, so that its outcome is there within 2 s. */
  readonly cancelGraceMs?: number;
  /** How long `close` waits for the running steps; default 5 000. */
  readonly closeGraceMs?: number;
  /** Silence after which a holder on another machine counts as dead; default 20 000. */
  readonly leaseTtlMs?: number;
  /** Upper bound of the first retry's pause; default 1 000. It doubles with every retry. */
  readonly retryBaseDelayMs?: number;
  /** Upper bound of any retry's pause; default 30 000. */
  readonly retryMaxDelayMs?: number;
  /** Told once when another process took the store over: the gateway should stop serving and exit. */
  readonly onOwnershipLost?: (error: DomainError) => void;
  /** Ends the start, which may wait `leaseTtlMs` for a dead owner on another machine. */
  readonly signal?: AbortSignal;
}

/** Operations that run at once when nothing else is said: each is mostly waiting for a stage. */
const DEFAULT_MAX_CONCURRENT = 4;

/**
 * The default driver: runs workflows in this process and keeps their journals in the store. Operations that an earlier
 * process left are resumed before it returns.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a `maxConcurrent` below 1; `CONFLICT` when another process runs the operations of this store; whatever the store throws.
 */
export async function createEmbeddedDriver(options: EmbeddedDriverOptions): Promise<WorkflowDriver> {
  const clock = options.clock ?? createSystemClock();
  const { maxConcurrent = DEFAULT_MAX_CONCURRENT } = options;
  if (!Number.isInteger(maxConcurrent) || maxConcurrent < 1) {
    throw new DomainError("INVALID_ARGUMENT", `maxConcurrent ${maxConcurrent} is not a whole number of at least 1`);
  }
  const nonce = (options.randomHex ?? randomHex)(16);
  const { store, leaseTtlMs: ttlMs = 20_000, signal } = options;
  const ownership = await acquireOwnership({ store, clock, nonce, ttlMs, signal });
  try {
    return await runDriver(options, clock, ownership);
  } catch (error) {
    await ownership.release();
    throw error;
  }
}

async function runDriver(options: EmbeddedDriverOptions, clock: Clock, ownership: Ownership): Promise<WorkflowDriver> {
  const stopping = new AbortController();
  const env = createEnvironment(options, { clock, ownership, stopped: stopping.signal });
  const index = createOperationIndex();
  const pool = createOperationPool(env, options.registry, options.maxConcurrent ?? DEFAULT_MAX_CONCURRENT);
  const locks = createKeyedLocks();
  const scope: OperationScope = { env, index, pool, locks };
  const findState = async (ref: OperationRef): Promise<OperationState | undefined> =>
    pool.find(ref)?.record.state ?? (await readStoredState(env.store, ref))?.stored.state;
  const startScope: StartScope = {
    ...{ store: env.store, clock, randomHex: env.randomHex, registry: options.registry, locks, findState },
    assertMayWrite: () => ownership.assertHeld(),
    async admit(entry) {
      index.add(entry);
      return pool.add(entry, undefined);
    },
  };
  const stop = (error: DomainError): void => {
    stopping.abort(error);
    pool.wakeWatchers();
  };
  ownership.lost.addEventListener("abort", () => {
    const error = abortErrorFromSignal(ownership.lost);
    stop(error);
    options.onOwnershipLost?.(error);
  });
  await recoverOperations(scope);

  const assertOpen = (): void => {
    if (stopping.signal.aborted) throw abortErrorFromSignal(stopping.signal);
  };
  const get = async (name: string): Promise<OperationState> => {
    assertOpen();
    const ref = parseOperationName(name);
    const state = await findState(ref);
    if (state === undefined) throw new DomainError("NOT_FOUND", `there is no operation ${refKey(ref)}`);
    return state;
  };
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stop(new DomainError("UNREACHABLE", "this gateway is stopping"));
    await pool.drain(options.closeGraceMs ?? 5_000);
    await ownership.release();
  };

  return {
    get,
    async start(request) {
      assertOpen();
      return await startOperation(startScope, request);
    },
    async join(request) {
      assertOpen();
      return await joinOperation(startScope, request);
    },
    async list(project, page) {
      assertOpen();
      return await listOperations(scope, project, page);
    },
    async cancel(name) {
      if (isDone(await get(name))) return;
      await pool.cancel(parseOperationName(name));
    },
    async delete(name) {
      assertOpen();
      await deleteOperation(scope, parseOperationName(name));
    },
    async *watch(name, afterSequence, signal) {
      const first = await get(name);
      const record = pool.find(parseOperationName(name))?.record;
      if (record === undefined || isDone(first)) yield first;
      else yield* watchRecord(record, { afterSequence, signal, assertOpen });
    },
    async expireOperations({ olderThanMs }) {
      assertOpen();
      return await expireDone(scope, olderThanMs);
    },
    close: () => (closed ??= close()),
  };
}

function createEnvironment(
  options: EmbeddedDriverOptions,
  parts: Pick<DriverEnvironment, "clock" | "ownership" | "stopped">,
): DriverEnvironment {
  return {
    ...parts,
    store: options.store,
    logger: options.logger ?? SILENT_LOGGER,
    random: options.random ?? randomUniform,
    randomHex: options.randomHex ?? randomHex,
    progressIntervalMs: options.progressIntervalMs ?? 1_000,
    cancelGraceMs: options.cancelGraceMs ?? 1_500,
    retryBaseDelayMs: options.retryBaseDelayMs ?? 1_000,
    retryMaxDelayMs: options.retryMaxDelayMs ?? 30_000,
  };
}
