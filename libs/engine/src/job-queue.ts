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

/** Jobs that wait for the engine process, first come first served. */
export interface JobQueue {
  /** Adds work and gives its result. @throws {DomainError} RESOURCE_EXHAUSTED, CANCELLED, DEADLINE_EXCEEDED */
  add(prepare: Prepare, signal: AbortSignal | undefined): Promise<WorkResult>;
  take(): Job | undefined;
  rejectAll(error: DomainError): void;
  readonly length: number;
}

/** A queue of at most `maxWaiting` jobs. A job whose signal fires leaves it at once. */
export function createJobQueue(maxWaiting: number, isBusy: () => boolean): JobQueue {
  const jobs = new Set<Job>();
  return {
    add(prepare, signal) {
      if (signal?.aborted) return Promise.reject(abortErrorFromSignal(signal));
      // The job that will be taken at once does not wait.
      if (jobs.size >= maxWaiting + (isBusy() ? 0 : 1)) return Promise.reject(fullError(maxWaiting));
      return new Promise((resolve, reject) => {
        const job: Job = { prepare, signal, resolve, reject };
        jobs.add(job);
        const leave = () => {
          if (signal !== undefined && jobs.delete(job)) reject(abortErrorFromSignal(signal));
        };
        signal?.addEventListener("abort", leave, { once: true });
      });
    },
    take() {
      const [first] = jobs;
      if (first !== undefined) jobs.delete(first);
      return first;
    },
    rejectAll(error) {
      for (const job of jobs) job.reject(error);
      jobs.clear();
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
