import { isDomainError } from "@parfocal/errors";

/** A replica that a call may go to. */
interface ReplicaChoice {
  /** Place in the list of addresses. */
  readonly index: number;
  /** The call has ended; `error` is what it threw, if it did. */
  release(error?: unknown): void;
}

/** Chooses a replica for every call. */
export interface ReplicaPicker {
  /** The replica to call next, of those not in `tried`; `undefined` when all were. */
  pick(tried?: ReadonlySet<number>): ReplicaChoice | undefined;
}

/** Pause after which a replica that did not answer is thought of again, ms. */
const COOLING_MS = 1000;

/**
 * Picks the replica with the fewest calls of ours, among equals in turn. One that was UNREACHABLE less than a second ago comes
 * last. `nowMs` is a clock that only runs forward.
 */
export function createReplicaPicker(nReplicas: number, nowMs: () => number = () => performance.now()): ReplicaPicker {
  const replicas = Array.from({ length: nReplicas }, (_, index) => ({
    index,
    nCalls: 0,
    coolsUntilMs: 0,
    lastTurn: 0,
  }));
  let turn = 0;
  return {
    pick(tried = new Set()) {
      const now = nowMs();
      const rank = ({ nCalls, coolsUntilMs, lastTurn }: (typeof replicas)[number]) =>
        [Number(coolsUntilMs > now), nCalls, lastTurn] as const;
      const [best] = replicas.filter(({ index }) => !tried.has(index)).sort((a, b) => compare(rank(a), rank(b)));
      if (best === undefined) return undefined;
      best.nCalls += 1;
      best.lastTurn = ++turn;
      return {
        index: best.index,
        release(error) {
          best.nCalls -= 1;
          best.coolsUntilMs = isDomainError(error, "UNREACHABLE") ? nowMs() + COOLING_MS : 0;
        },
      };
    },
  };
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return (a[at] ?? 0) - (b[at] ?? 0);
}
