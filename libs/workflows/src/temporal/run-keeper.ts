import { DomainError, isDomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { isTransient } from "../commit.ts";
import { refKey } from "../operation-index.ts";
import { readRequest } from "../operation-request.ts";
import { createKeyedLocks } from "../operation-scope.ts";
import { slugFromName } from "../step-ledger.ts";
import type { WorkflowRegistry } from "../workflow.ts";
import type { OperationExecution, StepEnd } from "./operation-protocol.ts";
import { beginRun, type SuspendedRun } from "./suspended-run.ts";
import { createTurnLog } from "./turn-log.ts";

/** Runs kept at a time. One that is dropped is run again from its log when it is wanted. */
const MAX_RUNS = 256;

/** The workflow functions that this process has under way. */
export interface RunKeeper {
  /**
   * The run of an operation after it was told everything up to `turn`: the one that is here, or the function run again over the
   * log.
   *
   * @throws {DomainError} what the store throws while it is out of reach; anything else is the end of the run.
   */
  at(execution: OperationExecution, turn: number): Promise<SuspendedRun>;
  /** The run of an operation if it is here. */
  find(execution: OperationExecution): SuspendedRun | undefined;
  forget(execution: OperationExecution): void;
}

/** A keeper of runs of the workflows in `registry`. */
export function createRunKeeper(store: ObjectStore, registry: WorkflowRegistry): RunKeeper {
  const runs = new Map<string, SuspendedRun>();
  const locks = createKeyedLocks();
  const keep = (key: string, run: SuspendedRun): void => {
    runs.delete(key); // The order of the map is that of use.
    runs.set(key, run);
    const [oldest] = runs.keys();
    if (runs.size > MAX_RUNS && oldest !== undefined) runs.delete(oldest);
  };
  return {
    at: (execution, turn) =>
      locks.run(runKey(execution), async () => {
        const log = createTurnLog(store, execution);
        const known = runs.get(runKey(execution));
        const first = (known?.turn ?? 0) + 1;
        const told = first > turn ? [] : await log.read(first, turn);
        const results = await Promise.all(told.map((ends) => log.withResults(ends)));
        const run = known ?? (await beginAgain(store, registry, execution, told.flat()));
        // From here on it has changed: if telling it fails half-way, the next one begins anew.
        runs.delete(runKey(execution));
        for (const ends of results) await run.tell(ends);
        keep(runKey(execution), run);
        return run;
      }),
    find: (execution) => runs.get(runKey(execution)),
    forget: (execution) => void runs.delete(runKey(execution)),
  };
}

function runKey(execution: OperationExecution): string {
  return `${refKey(execution)}/${execution.executionId}`;
}

async function beginAgain(
  store: ObjectStore,
  registry: WorkflowRegistry,
  execution: OperationExecution,
  ends: readonly StepEnd[],
): Promise<SuspendedRun> {
  const { project, id: operationId } = execution;
  try {
    const { kind, input } = await readRequest(store, execution);
    const workflow = Object.hasOwn(registry, kind) ? registry[kind] : undefined;
    if (workflow === undefined)
      throw new DomainError("UNIMPLEMENTED", `this gateway has no workflow of kind "${kind}"`);
    const places = ends.map(({ name, ...place }) => ({ ...place, slug: slugFromName(name) }));
    return await beginRun({ workflow, project, operationId, input, places });
  } catch (error) {
    if (isTransient(error) || !isDomainError(error)) throw error;
    // Such an operation can never run: it ends with what keeps it from running.
    return await beginRun({ workflow: () => Promise.reject(error), project, operationId, input: null, places: [] });
  }
}
