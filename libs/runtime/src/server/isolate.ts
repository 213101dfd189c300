import { DomainError } from "@parfocal/errors";
import type { ServerMiddleware } from "nice-grpc-common";
import { resourcesNamedBy } from "../security/named-projects.ts";
import { matchesAny } from "../security/policy.ts";
import type { Principal } from "./authorizer.ts";
import type { CallFacts, CallScope } from "./call-scope.ts";

/** Options of {@link createIsolate}. */
export interface IsolateOptions {
  /** Methods that concern no project, as `package.Service/Method`; a trailing `*` stands for any rest. */
  readonly projectFree: readonly string[];
  /** What methods name where no text of their requests shows it. */
  readonly namesIn: NamesByMethod;
  /** Root of the store: URIs below it belong to the project that their key names. */
  readonly storeRootUri?: string | undefined;
}

/** Resource names and URIs that a request means and does not hold as texts, by `package.Service/Method`. */
export type NamesByMethod = Readonly<Record<string, (request: unknown) => readonly string[]>>;

/** Methods of every server that concern no project. */
const PROJECT_FREE = ["grpc.health.v1.Health/*", "grpc.reflection.*"];

/**
 * Keeps callers to their projects: a request that names another one is refused before its handler sees it, whether what
 * it names exists or not. A method that names no project at all is refused too unless it is known to concern none, so a
 * new RPC is closed to callers with fewer than all projects until somebody has thought about it.
 */
export function createIsolate(
  options: IsolateOptions,
): ServerMiddleware<object, Pick<CallScope, "principal" | "facts">> {
  const free = [...PROJECT_FREE, ...options.projectFree];
  return async function* isolate(call, context) {
    const { principal, facts } = context;
    const method = call.method.path.slice(1);
    const check = createCheck(options, method, principal, facts, matchesAny(free, method));
    if (call.requestStream) {
      const requests = checked(call.request, check);
      const isBound = principal.projects !== undefined;
      return yield* call.next(isBound ? await begun(requests, () => check(undefined)) : requests, context);
    }
    check(call.request);
    const response = yield* call.next(call.request, context);
    facts.operation ??= resourcesNamedBy(nameOf(response), undefined).operation;
    return response;
  };
}

/** An operation that a call began is the answer's name. */
function nameOf(response: unknown): unknown {
  return response !== null && typeof response === "object" && "name" in response ? response.name : undefined;
}

type Check = (request: unknown) => void;

function createCheck(
  { namesIn, storeRootUri }: IsolateOptions,
  method: string,
  { projects: allowed }: Principal,
  facts: CallFacts,
  isFree: boolean,
): Check {
  const isBound = allowed !== undefined;
  return (request) => {
    // Who may name every project is asked only for the audit record, for which the first name will do.
    const isEnough = isBound ? undefined : (found: ReadonlySet<string>) => found.size > 0;
    if (!isBound && facts.project !== undefined) return;
    const named = resourcesNamedBy([request, namesIn[method]?.(request)], storeRootUri, isEnough);
    const projects = [...named.projects];
    facts.project ??= projects[0];
    facts.operation ??= named.operation;
    if (!isBound) return;
    const other = projects.find((project) => project === "" || !matchesAny(allowed, project));
    if (other !== undefined)
      throw new DomainError("FORBIDDEN", "the caller may not use a project that the request names");
    if (facts.project === undefined && !isFree) {
      throw new DomainError("FORBIDDEN", `${method} names no project, and the caller may not use all of them`);
    }
  };
}

/** The same messages, once the first has come: no handler begins for a caller whose project nobody knows. */
async function begun<T>(requests: AsyncGenerator<T>, onEmpty: () => void): Promise<AsyncGenerator<T>> {
  const first = await requests.next();
  if (first.done === true) onEmpty();
  return resumed(first, requests);
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    if (first.done !== true) yield first.value;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* checked<T>(requests: AsyncIterable<T>, check: Check): AsyncGenerator<T> {
  for await (const request of requests) {
    check(request);
    yield request;
  }
}
