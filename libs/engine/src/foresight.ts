import type { EngineProcess, WorkReply } from "./engine-process.ts";
import type { Job, JobQueue } from "./job-queue.ts";
import type { RunWork, Work } from "./wire.ts";
import { createTensorPacker } from "./wire-tensor.ts";

/** A job whose work is ready, or being made so. */
interface PreparedJob {
  /** @throws whatever its {@link Job.prepare} does */
  readonly work: Promise<Work>;
  /** Removes what was made for it. */
  dispose(): Promise<void>;
}

/** What is told to a process. */
type Told = Pick<EngineProcess, "perform" | "expect">;

/** Looks at the jobs that wait while the process is at one. */
export interface Foresight {
  /** The job whose turn has come, made ready beforehand or from now on. */
  take(job: Job): PreparedJob;
  /** Has the process do the work, and tells it, then and while it is at it, what will follow. */
  perform(process: Told, work: Work): Promise<WorkReply>;
  /** The queue is another. */
  look(): void;
}

/** Jobs made ready: the one that the process is told of, and one that it is told of without delay when that one begins. */
const N_PREPARED = 2;

interface Waiting extends PreparedJob {
  readonly job: Job;
  /** What the process may be told: runs, once they are ready. */
  readonly ready: { work?: RunWork };
}

/** Makes the jobs that come next ready, with large tensors as files of `folder`, and lets go of those that left the queue. */
export function createForesight(queue: Pick<JobQueue, "peek">, folder: string): Foresight {
  let prepared: readonly Waiting[] = [];
  let busy: Told | undefined;

  function look(): void {
    const waiting = queue.peek(N_PREPARED);
    for (const each of prepared) if (!waiting.includes(each.job)) void each.dispose();
    prepared = waiting.flatMap((job) => prepared.find((each) => each.job === job) ?? (busy ? prepare(job) : []));
    announce();
  }
  function announce(): void {
    busy?.expect(prepared[0]?.ready.work);
  }
  function prepare(job: Job): Waiting {
    const packer = createTensorPacker(folder);
    const ready: { work?: RunWork } = {};
    const work = job.prepare(packer).then((made) => {
      if (made.kind === "run") ready.work = made;
      return made;
    });
    // Who takes the job hears of a failure.
    const settled = work.then(announce, () => undefined);
    const dispose = () => settled.then(() => packer.dispose());
    return { job, work, ready, dispose };
  }

  return {
    take(job) {
      busy = undefined;
      const own = prepared.find((each) => each.job === job) ?? prepare(job);
      prepared = prepared.filter((each) => each !== own);
      return own;
    },
    async perform(process, work) {
      const reply = process.perform(work, prepared[0]?.ready.work);
      busy = process;
      look();
      try {
        return await reply;
      } finally {
        busy = undefined;
      }
    },
    look,
  };
}
