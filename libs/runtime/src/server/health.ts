import { DomainError } from "@parfocal/errors";
import { grpcHealthV1 } from "@parfocal/protocol";
import { defineService, type ServerService } from "./define-service.ts";

type ServingStatus = grpcHealthV1.HealthCheckResponse_ServingStatus;
const { NOT_SERVING, SERVICE_UNKNOWN, SERVING } = grpcHealthV1.HealthCheckResponse_ServingStatus;

/** Longest service name that is looked up; protobuf names stay far below, and an answer must not grow with the question. */
const MAX_NAME_LENGTH = 256;

/** Name under which health says whether the process is alive, ready or not: SERVING until it stops. */
const LIVENESS = "liveness";

/** What `grpc.health.v1` says of a server. */
export interface Health {
  /** Says whether `service` (`""`: the whole server) can be called; watchers hear of it. */
  setServing(service: string, isServing: boolean): void;
  /** Whether the whole server is serving. */
  isServing(): boolean;
  /** Says NOT_SERVING of everything, for good. */
  stop(): void;
  /** Ends the streams of all watchers after they heard the last status. */
  endWatches(): void;
}

/**
 * The health of a server that has `services`, all serving or none of them at first, and the gRPC service that tells it:
 * Check, Watch (the present status, then every change; a slow watcher misses intermediate ones) and List.
 */
export function createHealth(
  services: readonly string[],
  isServing: boolean,
): { health: Health; service: ServerService } {
  const statuses = new Map<string, ServingStatus>(
    ["", ...services].map((name) => [name, isServing ? SERVING : NOT_SERVING]),
  );
  statuses.set(LIVENESS, SERVING);
  const changed = new EventTarget();
  let isStopped = false;
  let isEnded = false;
  const set = (name: string, status: ServingStatus) => {
    statuses.set(name, status);
    changed.dispatchEvent(new Event("change"));
  };
  const health: Health = {
    setServing(name, serving) {
      if (!isStopped) set(name, serving ? SERVING : NOT_SERVING);
    },
    isServing: () => statuses.get("") === SERVING,
    stop() {
      isStopped = true;
      for (const name of statuses.keys()) set(name, NOT_SERVING);
    },
    endWatches() {
      isEnded = true;
      changed.dispatchEvent(new Event("change"));
    },
  };
  const service = defineService(grpcHealthV1.HealthDefinition, {
    async check({ service: name }) {
      const status = statuses.get(assertName(name));
      if (status === undefined) throw new DomainError("NOT_FOUND", "this server has no service of that name");
      return { status };
    },
    async *watch({ service: name }, { signal }) {
      assertName(name);
      for (let last: ServingStatus | undefined; !signal.aborted; ) {
        const status = statuses.get(name) ?? SERVICE_UNKNOWN;
        // Nothing is awaited between this look and the wait below, so no change can fall between them.
        if (status !== last) yield { status };
        else if (isEnded) return;
        else await nextChange(changed, signal);
        last = status;
      }
    },
    async list() {
      return { statuses: Object.fromEntries([...statuses].map(([name, status]) => [name, { status }])) };
    },
  });
  return { health, service };
}

function assertName(name: string): string {
  if (name.length <= MAX_NAME_LENGTH) return name;
  throw new DomainError(
    "INVALID_ARGUMENT",
    `service: a name of ${name.length} characters, the bound is ${MAX_NAME_LENGTH}`,
    {
      details: { field: "service", value: String(name.length), bound: String(MAX_NAME_LENGTH) },
    },
  );
}

/** Resolves at the next change, or when the signal fires. */
async function nextChange(changed: EventTarget, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      changed.removeEventListener("change", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    changed.addEventListener("change", done);
    signal.addEventListener("abort", done);
  });
}
