import { abortErrorFromSignal, DomainError } from "@parfocal/errors";
import type { Work, WorkResult } from "./wire.ts";
import type { TensorPacker } from "./wire-tensor.ts";

/** Makes the message of a piece of work, with large tensors through the packer. */
export type Prepare = (packer: TensorPacker) => Promise<Work>;

/** Work with the caller who waits for it. */
export interface Job {
  /** Makes the message; called when the job's turn has come. */
  readonly prepare: Prepare;
  readonly signal: AbortSignal | undefined;
  resolve(result: WorkResult): void;
  reject(error: unknown): void;
}

/** How work is added. */
export interface AddOptions {
  readonly signal?: AbortSignal | undefined;
  /** For work that frees what other work needs: refusing it would make a full engine fuller. */
  readonly isUnbounded?: boolean;
}

/** Jobs that wait for the engine process, first come first served. */
export interface JobQueue {
  /**
   * Adds work and gives its result; with `isUnbounded` also to a queue that is full.
   *
   * @throws {DomainError} RESOURCE_EXHAUSTED, CANCELLED, DEADLINE_EXCEEDED
   */
  add(prepare: Prepare, options?: AddOptions): Promise<WorkResult>;
  take(): Job | undefined;
  /** The first jobs that wait, at most `count`, left where they are. */
  peek(count: number): readonly Job[];
  rejectAll(error: DomainError): void;
  readonly length: number;
}

/** What a queue asks of its owner, and tells it. */
export interface QueueOwner {
  /** Whether a job was taken and is not done. */
  isBusy(): boolean;
  /** A job came or, otherwise than by {@link JobQueue.take}, left. */
  onChange(): void;
}

/** A queue of at most `maxWaiting` jobs. A job whose signal fires leaves it at once. */
export function createJobQueue(maxWaiting: number, { isBusy, onChange }: QueueOwner): JobQueue {
  /** By job, what stops listening to its signal: a signal outlives thousands of jobs and would keep the result of each. */
  const jobs = new Map<Job, () => void>();
  return {
    add(prepare, { signal, isUnbounded = false } = {}) {
      if (signal?.aborted) return Promise.reject(abortErrorFromSignal(signal));
      // The job that will be taken at once does not wait.
      if (!isUnbounded && jobs.size >= maxWaiting + (isBusy() ? 0 : 1)) return Promise.reject(fullError(maxWaiting));
      return new Promise((resolve, reject) => {
        const job: Job = { prepare, signal, resolve, reject };
        const leave = () => {
          if (signal === undefined || !jobs.delete(job)) return;
          reject(abortErrorFromSignal(signal));
          onChange();
        };
        jobs.set(job, () => signal?.removeEventListener("abort", leave));
        signal?.addEventListener("abort", leave, { once: true });
        onChange();
      });
    },
    take() {
      const [first] = jobs;
      if (first === undefined) return undefined;
      const [job, stopListening] = first;
      jobs.delete(job);
      stopListening();
      return job;
    },
    peek: (count) => [...jobs.keys()].slice(0, count),
    rejectAll(error) {
      for (const [job, stopListening] of jobs) {
        stopListening();
        job.reject(error);
      }
      jobs.clear();
      onChange();
    },
    get length() {
      return jobs.size;
    },
  };
}

function fullError(maxWaiting: number): DomainError {
  return new DomainError("RESOURCE_EXHAUSTED", `${maxWaiting} requests wait for the engine already, its bound`, {
    details: { bound: String(maxWaiting) },
  });
}
