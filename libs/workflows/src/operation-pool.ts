import type { DriverEnvironment } from "./driver-environment.ts";
import { refKey } from "./operation-index.ts";
import type { IndexEntry, OperationRef } from "./operation-keys.ts";
import { createOperationRecord } from "./operation-record.ts";
import { createOperationTask, type OperationTask } from "./operation-task.ts";
import { type FoundState, isDone } from "./stored-state.ts";
import type { OperationState, WorkflowRegistry } from "./workflow.ts";

/** The operations of this process that are not done: some run, the others wait their turn. */
export interface OperationPool {
  find(ref: OperationRef): OperationTask | undefined;
  /** Takes an operation in; it runs when its turn comes. */
  add(entry: IndexEntry, found: FoundState | undefined): OperationState;
  /** Cancels one of its operations; one that waits ends without a run. */
  cancel(ref: OperationRef): Promise<void>;
  /** Lets every watcher look whether the driver has stopped. */
  wakeWatchers(): void;
  /** After the driver's stop: waits, at most `graceMs`, for what runs, and stores the last progress. */
  drain(graceMs: number): Promise<void>;
}

/** A pool that runs `maxConcurrent` operations at once. */
export function createOperationPool(
  env: DriverEnvironment,
  registry: WorkflowRegistry,
  maxConcurrent: number,
): OperationPool {
  const tasks = new Map<string, OperationTask>();
  const waiting: OperationTask[] = [];
  const running = new Map<OperationTask, Promise<void>>();

  const launch = (task: OperationTask): Promise<void> => {
    const run = task.run().finally(() => {
      running.delete(task);
      if (isDone(task.record.state)) tasks.delete(refKey(task.entry));
      launchWaiting();
    });
    running.set(task, run);
    return run;
  };
  const launchWaiting = (): void => {
    while (!env.stopped.aborted && running.size < maxConcurrent) {
      const next = waiting.shift();
      if (next === undefined) return;
      void launch(next);
    }
  };
  const settle = async (): Promise<void> => {
    await Promise.allSettled(running.values());
    await Promise.allSettled([...tasks.values()].map(({ record }) => record.flush()));
  };

  return {
    find: (ref) => tasks.get(refKey(ref)),
    add(entry, found) {
      const task = createOperationTask(env, registry, entry, createOperationRecord(env, entry, found));
      tasks.set(refKey(entry), task);
      waiting.push(task);
      const { state } = task.record;
      launchWaiting();
      return state;
    },
    async cancel(ref) {
      const task = tasks.get(refKey(ref));
      if (task === undefined) return;
      await task.cancel();
      const place = waiting.indexOf(task);
      if (place < 0) return;
      waiting.splice(place, 1);
      await launch(task);
    },
    wakeWatchers() {
      for (const { record } of tasks.values()) record.events.wake();
    },
    async drain(graceMs) {
      waiting.length = 0;
      const settled = new AbortController();
      const patience = env.clock.delay(graceMs, settled.signal).catch(() => undefined);
      await Promise.race([settle(), patience]);
      settled.abort();
    },
  };
}
