import { abortErrorFromSignal, DomainError } from "@parfocal/errors";

/** Gives a turn back; once. */
export type EndTurn = () => void;

/** Who may import now. */
export interface ImportTurns {
  /**
   * Waits for one of the places, in the order of asking.
   *
   * @throws {DomainError} `RESOURCE_EXHAUSTED` when too many wait already, `CANCELLED` or `DEADLINE_EXCEEDED` by the signal.
   */
  take(signal: AbortSignal): Promise<EndTurn>;
  /**
   * Waits until nobody has a place and takes all of them, before everyone who waits for one: who asks had a turn already.
   *
   * @throws {DomainError} `CANCELLED` or `DEADLINE_EXCEEDED` by the signal.
   */
  takeAll(signal: AbortSignal): Promise<EndTurn>;
}

interface Waiting {
  readonly nPlaces: number;
  readonly go: () => void;
}

/** Turns over `nPlaces` places, for which `maxWaiting` may wait. */
export function createImportTurns(nPlaces: number, maxWaiting: number): ImportTurns {
  const queue: Waiting[] = [];
  let nFree = nPlaces;

  /** Lets go whoever waits longest, and nobody past one who still waits for more places. */
  const admit = (): void => {
    for (let first = queue[0]; first !== undefined && first.nPlaces <= nFree; first = queue[0]) {
      nFree -= first.nPlaces;
      queue.shift();
      first.go();
    }
  };
  const end = (places: number): EndTurn => {
    return () => {
      nFree += places;
      admit();
    };
  };
  const wait = (places: number, enqueue: (waiting: Waiting) => void, signal: AbortSignal): Promise<EndTurn> => {
    const { promise, resolve, reject } = Promise.withResolvers<EndTurn>();
    const onAbort = () => {
      queue.splice(queue.indexOf(waiting), 1);
      reject(abortErrorFromSignal(signal));
      admit();
    };
    const go = () => {
      signal.removeEventListener("abort", onAbort);
      resolve(end(places));
    };
    const waiting = { nPlaces: places, go };
    signal.addEventListener("abort", onAbort, { once: true });
    enqueue(waiting);
    admit();
    return promise;
  };

  return {
    async take(signal) {
      if (nFree === 0 || queue.length > 0) assertRoom(queue.length, maxWaiting);
      return wait(1, (waiting) => queue.push(waiting), signal);
    },
    async takeAll(signal) {
      return wait(nPlaces, (waiting) => queue.unshift(waiting), signal);
    },
  };
}

function assertRoom(nWaiting: number, maxWaiting: number): void {
  if (nWaiting < maxWaiting) return;
  throw new DomainError("RESOURCE_EXHAUSTED", `${nWaiting} imports wait already; at most ${maxWaiting} may`);
}
