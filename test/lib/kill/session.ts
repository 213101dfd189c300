/**
 * @file Kills processes of a deployment at random while operations run, and holds what they leave against an undisturbed run.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRng, type Rng } from "@parfocal/metrics";
import { PARENT } from "../requests.ts";
import type { Clients } from "../services.ts";
import { type Cluster, type DriverKind, startCluster, type Victim } from "./cluster.ts";
import {
  catalogEntry,
  findResponse,
  fingerprint,
  type Job,
  type JobData,
  type JobKind,
  listOperations,
  plantJobData,
  prepare,
  startJob,
} from "./jobs.ts";

/** What a session does. */
export interface SessionOptions {
  readonly kind: DriverKind;
  /** Kills. */
  readonly rounds: number;
  readonly seed: bigint;
  /** Longest pause before a kill, ms; default 2 500. */
  readonly maxPauseMs?: number;
  /** Hears of each round. */
  readonly onRound?: (round: number, victim: Victim, pauseMs: number) => void;
}

/** What a session saw. */
export interface SessionReport {
  readonly kills: Readonly<Record<string, number>>;
  /** Operations that ran while there was killing, by kind. */
  readonly operations: Readonly<Record<string, number>>;
  /** What broke a promise; empty when all was kept. */
  readonly violations: readonly string[];
}

const KINDS: readonly JobKind[] = ["train", "batch", "import"];
/** Operations under way at a time. */
const AT_ONCE = 2;

/** An undisturbed operation takes some seconds; one that takes this long is lost. */
const LOST_MS = 1_800_000;

/** A job of the session and what is known of it. */
interface Tracked {
  readonly job: Job;
  readonly serial: number;
  /** What it left when it was first seen done. */
  done?: { readonly response: string; readonly entry: string | undefined };
}

/** Runs a session and removes what it made. */
export async function runKillSession(options: SessionOptions): Promise<SessionReport> {
  const folder = await mkdtemp(join(tmpdir(), `parfocal-kill-${options.kind}-`));
  await mkdir(join(folder, "store"));
  await mkdir(join(folder, "files"));
  const cluster = await startCluster(options.kind, folder, join(folder, "files"));
  try {
    const data = await prepare(cluster.clients, await plantJobData(join(folder, "files")));
    const reference = await runUndisturbed(cluster.clients, data);
    return await disturb(options, cluster, data, reference);
  } finally {
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  }
}

type Reference = ReadonlyMap<JobKind, string>;

async function runUndisturbed(clients: Clients, data: JobData): Promise<Reference> {
  const reference = new Map<JobKind, string>();
  for (const kind of KINDS) {
    const tracked = { job: await startJob(clients, data, kind, 0), serial: 0 };
    reference.set(kind, fingerprint(kind, await untilDone(clients, tracked)));
  }
  return reference;
}

async function disturb(
  options: SessionOptions,
  cluster: Cluster,
  data: JobData,
  reference: Reference,
): Promise<SessionReport> {
  const rng = createRng(options.seed);
  const state = { isOver: false, serial: 0, tracked: [] as Tracked[], violations: [] as string[] };
  const kills: Record<string, number> = {};
  const lanes = Array.from({ length: AT_ONCE }, async () => {
    while (!state.isOver) {
      const serial = ++state.serial;
      const kind = KINDS[serial % KINDS.length]!;
      const tracked: Tracked = { job: await startJob(cluster.clients, data, kind, serial), serial };
      state.tracked.push(tracked);
      const response = await untilDone(cluster.clients, tracked);
      if (fingerprint(kind, response) !== reference.get(kind)) {
        state.violations.push(`${kind} ${serial} left other bytes than an undisturbed one`);
      }
    }
  });
  const killing = killAtRandom(options, cluster, rng, kills).finally(() => (state.isOver = true));
  const ends = await Promise.allSettled([killing, ...lanes]);
  for (const end of ends) if (end.status === "rejected") state.violations.push(String(end.reason));
  state.violations.push(...(await verifyAll(cluster.clients, state.tracked)));
  return { kills, operations: countKinds(state.tracked), violations: state.violations };
}

async function killAtRandom(
  { rounds, maxPauseMs = 2_500, onRound }: SessionOptions,
  cluster: Cluster,
  rng: Rng,
  kills: Record<string, number>,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const pauseMs = Math.floor(rng.nextFloat() * maxPauseMs);
    const victim = cluster.victims[rng.nextInt(cluster.victims.length)]!;
    await sleep(pauseMs);
    onRound?.(round, victim, pauseMs);
    await cluster.kill(victim);
    kills[victim] = (kills[victim] ?? 0) + 1;
  }
}

/** Waits for the end of a job and keeps what it left. @throws Error when it failed, or did not end for `LOST_MS`. */
async function untilDone(clients: Clients, tracked: Tracked): Promise<Uint8Array> {
  const untilMs = performance.now() + LOST_MS;
  for (;;) {
    if (performance.now() > untilMs) throw new Error(`${tracked.job.name} is lost: it did not end in ${LOST_MS} ms`);
    const response = await findResponse(clients, tracked.job.name);
    if (response !== undefined) {
      const entry = await catalogEntry(clients, tracked.job, tracked.serial);
      tracked.done = { response: Buffer.from(response).toString("base64"), entry };
      return response;
    }
    await sleep(150);
  }
}

/** At the end of all killing: every operation is there, no other is, and nothing changed after it was published. */
async function verifyAll(clients: Clients, tracked: readonly Tracked[]): Promise<string[]> {
  const violations: string[] = [];
  const projects = [PARENT, ...tracked.map(({ serial }) => `projects/import-${serial}`)];
  const listed = await listOperations(clients, projects);
  if (new Set(listed).size !== listed.length) violations.push("a listing repeats an operation");
  for (const { job, serial, done } of tracked) {
    if (!listed.includes(job.name)) violations.push(`${job.kind} ${serial} is not listed`);
    if (done === undefined) {
      violations.push(`${job.kind} ${serial} never ended`);
      continue;
    }
    const response = await findResponse(clients, job.name);
    if (response === undefined || Buffer.from(response).toString("base64") !== done.response) {
      violations.push(`${job.kind} ${serial} was published twice: its response changed`);
    }
    if ((await catalogEntry(clients, job, serial)) !== done.entry) {
      violations.push(`${job.kind} ${serial} was published twice: its entry in the catalog changed`);
    }
  }
  // Three of preparing and three undisturbed ones; of these the import is in a project of its own.
  const expected = tracked.filter(({ job }) => job.kind !== "import").length + 4;
  const found = listed.filter((name) => name.startsWith(`${PARENT}/`)).length;
  if (found !== expected) violations.push(`${found} operations are listed where ${expected} were asked for`);
  return violations;
}

function countKinds(tracked: readonly Tracked[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { job } of tracked) counts[job.kind] = (counts[job.kind] ?? 0) + 1;
  return counts;
}
