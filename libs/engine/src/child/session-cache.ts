import { DomainError } from "@parfocal/errors";
import type { ChildOptions } from "../engine-options.ts";
import type { WireGraph } from "../wire.ts";
import { InferenceSession } from "./onnxruntime.ts";

/** Sessions by digest, the least recently used released first. */
export interface SessionCache {
  get(graph: WireGraph): Promise<InferenceSession>;
  readonly size: number;
  readonly created: number;
}

/** What sessions are made with. */
export type SessionSettings = Pick<ChildOptions, "device" | "intraOpThreads" | "allowSpinning">;

/** Options that never change: results must not depend on when a session was made. */
export function sessionOptions(settings: SessionSettings): InferenceSession.SessionOptions {
  return {
    executionProviders: [providerOf(settings.device)],
    graphOptimizationLevel: "all",
    executionMode: "sequential",
    // A plan per input shape: bags all have their own, so plans would pile up, and each raises the peak (725 against 569 MiB
    // for a training step of 10 000 tiles) without a gain in time.
    enableMemPattern: false,
    intraOpNumThreads: settings.intraOpThreads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: settings.allowSpinning ? "1" : "0" },
        // Threads that spin on after a run would burn the cores that the neighbours compute on.
        force_spinning_stop: "1",
        set_denormal_as_zero: "0",
      },
    },
  };
}

/** Creates a session for each digest once and keeps the last `maxSessions`. */
export function createSessionCache(settings: SessionSettings, maxSessions: number): SessionCache {
  const sessions = new Map<string, InferenceSession>();
  let created = 0;
  return {
    async get(graph) {
      const known = sessions.get(graph.digest);
      const session = known ?? (await InferenceSession.create(graph.modelPath, sessionOptions(settings)));
      if (known === undefined) created += 1;
      // A map iterates in order of insertion: taking out and putting back makes it the youngest.
      sessions.delete(graph.digest);
      sessions.set(graph.digest, session);
      await releaseOldest(sessions, maxSessions);
      return session;
    },
    get size() {
      return sessions.size;
    },
    get created() {
      return created;
    },
  };
}

async function releaseOldest(sessions: Map<string, InferenceSession>, maxSessions: number): Promise<void> {
  for (const [digest, session] of sessions) {
    if (sessions.size <= maxSessions) return;
    sessions.delete(digest);
    await session.release();
  }
}

function providerOf(device: string): InferenceSession.ExecutionProviderConfig {
  if (device === "cpu" || device === "webgpu") return device;
  const cuda = /^cuda:(\d+)$/.exec(device);
  if (cuda !== null) return { name: "cuda", deviceId: Number(cuda[1]) };
  throw new DomainError("INVALID_ARGUMENT", `"${device}" is no device of the engine`);
}
