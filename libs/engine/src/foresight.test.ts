import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { EngineProcess, WorkReply } from "./engine-process.ts";
import { createForesight } from "./foresight.ts";
import { createJobQueue, type JobQueue, type Prepare } from "./job-queue.ts";
import type { RunWork, Work } from "./wire.ts";

const folder = await mkdtemp(join(tmpdir(), "parfocal-foresight-"));
afterAll(() => rm(folder, { recursive: true }));

type Told = { readonly work: Work; readonly next: RunWork | undefined } | { readonly expected: RunWork | undefined };

/** What a process would hear, without one: it answers when it is told to. */
function open() {
  const told: Told[] = [];
  const answers: PromiseWithResolvers<WorkReply>[] = [];
  const process: Pick<EngineProcess, "perform" | "expect"> = {
    perform(work: Work, next?: RunWork) {
      const answer = Promise.withResolvers<WorkReply>();
      told.push({ work, next });
      answers.push(answer);
      return answer.promise;
    },
    expect: (expected: RunWork | undefined) => void told.push({ expected }),
  };
  const queue: JobQueue = createJobQueue(9, { isBusy: () => true, onChange: () => foresight.look() });
  const foresight = createForesight(queue, folder);
  const add = (prepare: Prepare, signal?: AbortSignal) => void queue.add(prepare, { signal }).catch(() => undefined);
  /** The turn of the first job that waits. */
  const turn = async () => {
    const job = queue.take()!;
    const prepared = foresight.take(job);
    const done = foresight.perform(process, await prepared.work);
    return { done, prepared };
  };
  return { told, answers, add, turn };
}

const runs = (): RunWork => ({ kind: "run", graphs: [], runs: [] });
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("the jobs that wait", () => {
  it("are made ready while the process is at one, and it is told of the next with each", async () => {
    const { told, answers, add, turn } = open();
    const works = [runs(), runs(), runs()];
    for (const work of works) add(async () => work);
    await turn();
    await settle();
    expect(told).toEqual([{ work: works[0], next: undefined }, { expected: undefined }, ...told.slice(2)]);
    expect(told.at(-1)).toEqual({ expected: works[1] });
    answers[0]?.resolve({} as WorkReply);
    await turn();
    const last = told.findLast((each) => "work" in each);
    expect(last?.work).toBe(works[1]);
    expect(last?.next).toBe(works[2]);
  });

  it("are told of when they come later, and taken back when they leave; their files go", async () => {
    const { told, add, turn } = open();
    add(async () => runs());
    await turn();
    const controller = new AbortController();
    const [second, third] = [runs(), runs()];
    const large = { dtype: "u8", shape: [2 ** 20], data: new Uint8Array(2 ** 20) } as const;
    add(async (packer) => {
      await packer.pack(large);
      return second;
    }, controller.signal);
    await expect.poll(() => told.at(-1)).toEqual({ expected: second });
    expect(await readdir(folder)).toHaveLength(1);
    add(async () => third);
    controller.abort();
    await expect.poll(() => told.at(-1)).toEqual({ expected: third });
    expect((told.at(-1) as { expected?: unknown }).expected).toBe(third);
    await expect.poll(() => readdir(folder)).toEqual([]);
  });

  it("fail in their own turn when they cannot be made ready", async () => {
    const { told, add, turn } = open();
    add(async () => runs());
    await turn();
    add(() => Promise.reject(new Error("the disk is full")));
    await settle();
    expect(told.at(-1)).toEqual({ expected: undefined });
    await expect(turn()).rejects.toThrow("the disk is full");
  });

  it("are not announced when they only move state", async () => {
    const { told, add, turn } = open();
    add(async () => runs());
    await turn();
    add(async () => ({ kind: "drop", prefix: "" }));
    await settle();
    expect(told.filter((each) => "expected" in each && each.expected !== undefined)).toEqual([]);
  });
});
