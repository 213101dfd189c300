import { isDomainError } from "@parfocal/errors";
import type { Client, CompatServiceDefinition } from "nice-grpc";
import type { GeneratedDefinition } from "../server/define-service.ts";
import { createStageClient, type StageClient, type StageClientOptions } from "./create-stage-client.ts";
import { createReplicaPicker, type ReplicaPicker } from "./replica-pick.ts";
import type { StageCallOptions } from "./stage-middleware.ts";

/** A client of a service that runs several times. */
export interface ReplicaClient<Definition extends CompatServiceDefinition> extends StageClient<Definition> {
  /** Addresses that calls are spread over. */
  readonly nReplicas: number;
}

type Call = (request: unknown, options?: StageCallOptions) => Promise<unknown> | AsyncIterable<unknown>;
type Calls = Readonly<Record<string, Call>>;

/**
 * A client of a service at `addresses`, one or several `host:port` with commas between. A name that resolves to several addresses
 * counts once and is spread over by gRPC's round robin. Each call goes to the replica with the fewest calls of ours; of an
 * idempotent unary method one that is UNREACHABLE is tried at every other replica before it fails. Streams go to one replica to
 * their end.
 */
export function createReplicaClient<Definition extends GeneratedDefinition & CompatServiceDefinition>(
  definition: Definition,
  addresses: string,
  options: StageClientOptions = {},
): ReplicaClient<Definition> {
  const targets = addresses.split(",").map((address) => address.trim());
  // Where there is another replica, insisting on one that does not answer only takes time.
  const retry = targets.length > 1 ? { maxAttempts: 1, ...options.retry } : options.retry;
  const replicas = targets.map((address) =>
    createStageClient(definition, address, { ...options, ...(retry && { retry }) }),
  );
  const close = () => {
    for (const replica of replicas) replica.close();
  };
  const [only] = replicas;
  if (replicas.length === 1 && only !== undefined) return { calls: only.calls, close, nReplicas: 1 };
  const picker = createReplicaPicker(replicas.length);
  const calls = replicas.map((replica) => replica.calls as unknown as Calls);
  const idempotent = new Set(options.idempotentMethods);
  const spread = Object.entries(methodsOf(definition)).map(([key, { name, requestStream, responseStream }]) => {
    const of =
      (index: number): Call =>
      (request, callOptions) =>
        calls[index]![key]!(request, callOptions);
    if (responseStream) return [key, spreadStream(picker, of)] as const;
    return [key, spreadUnary(picker, of, !requestStream && idempotent.has(name))] as const;
  });
  return {
    calls: Object.fromEntries(spread) as unknown as Client<Definition, StageCallOptions>,
    close,
    nReplicas: replicas.length,
  };
}

/** What the picker needs to know of a method of a generated definition. */
interface MethodFacts {
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** Generated definitions keep their methods under this name. */
function methodsOf(definition: object): Readonly<Record<string, MethodFacts>> {
  return (definition as { readonly methods: Readonly<Record<string, MethodFacts>> }).methods;
}

function spreadUnary(picker: ReplicaPicker, of: (index: number) => Call, isIdempotent: boolean): Call {
  return async (request, options) => {
    const tried = new Set<number>();
    let failure: unknown;
    for (let choice = picker.pick(); choice !== undefined; choice = picker.pick(tried)) {
      try {
        const answer = await of(choice.index)(request, options);
        choice.release();
        return answer;
      } catch (error) {
        choice.release(error);
        failure = error;
        tried.add(choice.index);
        if (!(options?.isIdempotent ?? isIdempotent) || !isDomainError(error, "UNREACHABLE")) break;
      }
    }
    throw failure;
  };
}

function spreadStream(picker: ReplicaPicker, of: (index: number) => Call): Call {
  return async function* (request, options) {
    const choice = picker.pick()!;
    let failure: unknown;
    try {
      yield* of(choice.index)(request, options) as AsyncIterable<unknown>;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      choice.release(failure);
    }
  };
}
