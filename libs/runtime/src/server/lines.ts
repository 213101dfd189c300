import { DomainError } from "@parfocal/errors";
import { decodeRpcStatus, lineV1, STATUS_DETAILS_KEY } from "@parfocal/protocol";
import { type CallContext, Metadata, type MethodDescriptor, type ServerMiddleware } from "nice-grpc-common";
import { toRpcError } from "../error-map.ts";
import type { CallOrigin, CallOrigins } from "./call-origins.ts";
import type { CallScope, HandlerContext } from "./call-scope.ts";
import { defineService, type GeneratedMethod, type ServerService } from "./define-service.ts";
import { untilAborted } from "./until-aborted.ts";

/** Options of {@link createLines}. */
export interface LinesOptions {
  /** Everything between the wire and a handler. */
  readonly chain: ServerMiddleware<CallScope>;
  /** The services whose unary methods may be called. */
  readonly services: readonly ServerService[];
  readonly origins: Pick<CallOrigins, "note">;
  /** Fires when lines must end: each does after the call on it. */
  readonly draining: AbortSignal;
}

/**
 * `LineService`: unary calls of `services` one after another over streams that stay open. Each call goes through the whole chain like
 * one that came by itself, with its own metadata, deadline and audit record; it has the line's peer and certificate, and ends with the
 * line.
 *
 * Why: of a small call's time, gRPC in Node spends several times as much on opening and closing its stream as on the messages.
 */
export function createLines({ chain, services, origins, draining }: LinesOptions): ServerService {
  const methods = unaryMethodsOf(services);
  async function answer(request: lineV1.OpenRequest, line: HandlerContext): Promise<lineV1.OpenResponse> {
    const trailer = Metadata();
    try {
      const method = methodNamed(methods, request.method);
      const context = contextOf(request, line, trailer);
      const forget = origins.note(context.metadata, originOf(request, line.origin));
      try {
        const value = await run(chain, method, request.request, context);
        return { result: { $case: "response", value } };
      } finally {
        forget();
      }
    } catch (error) {
      return failureOf(error, trailer);
    }
  }
  return defineService(lineV1.LineServiceDefinition, {
    async *open(requests, line) {
      for await (const request of untilAborted(requests, draining)) yield await answer(request, line);
    },
  });
}

/** A unary method and what answers for it. */
interface UnaryMethod {
  readonly descriptor: MethodDescriptor;
  readonly generated: GeneratedMethod;
  handle(request: unknown, context: HandlerContext): Promise<unknown>;
}

function unaryMethodsOf(services: readonly ServerService[]): ReadonlyMap<string, UnaryMethod> {
  const methods = services.flatMap(({ name, definition, implementation }) =>
    Object.entries(definition.methods)
      .filter(([, { requestStream, responseStream }]) => !requestStream && !responseStream)
      .map(([key, generated]): [string, UnaryMethod] => {
        const path = `${name}/${generated.name}`;
        const descriptor = { path: `/${path}`, requestStream: false, responseStream: false, options: {} };
        const handle = (implementation as unknown as Readonly<Record<string, UnaryMethod["handle"]>>)[key]!;
        return [path, { descriptor, generated, handle }];
      }),
  );
  return new Map(methods);
}

function methodNamed(methods: ReadonlyMap<string, UnaryMethod>, name: string): UnaryMethod {
  const method = methods.get(name);
  if (method !== undefined) return method;
  throw new DomainError("UNIMPLEMENTED", "method is no unary method of a service that this server has on lines", {
    details: { field: "method" },
  });
}

/** The context that gRPC would have made of the call, had it come by itself. */
function contextOf({ metadata }: lineV1.OpenRequest, { peer, signal }: HandlerContext, trailer: Metadata): CallContext {
  return {
    ...{ metadata: metadataFrom(metadata), peer, signal },
    ...{ header: Metadata(), trailer, sendHeader: () => {} },
  };
}

/** gRPC has looked at the metadata of other calls before they come here. */
function metadataFrom(texts: lineV1.OpenRequest["metadata"]): Metadata {
  try {
    return Metadata(texts);
  } catch (cause) {
    throw new DomainError("INVALID_ARGUMENT", "metadata are no texts that gRPC would carry", {
      cause,
      details: { field: "metadata" },
    });
  }
}

function originOf({ method, timeoutMs }: lineV1.OpenRequest, { peer, certificate }: CallOrigin): CallOrigin {
  const deadlineMs = timeoutMs > 0n ? Date.now() + Number(timeoutMs) : undefined;
  return { method, peer, certificate, deadlineMs, startedMs: performance.now(), isSeen: false };
}

/** Runs a call through the chain and its handler; gives the encoded response. */
async function run(
  chain: LinesOptions["chain"],
  { descriptor, generated, handle }: UnaryMethod,
  bytes: Uint8Array,
  context: CallContext,
): Promise<Buffer> {
  const request = decode(generated, bytes);
  // biome-ignore lint/correctness/useYield: what nice-grpc takes for a unary handler.
  const next = async function* (asked: unknown, scope: HandlerContext): AsyncGenerator<never, unknown, undefined> {
    return await handle(asked, scope);
  };
  const call = { method: descriptor, requestStream: false, request, responseStream: false, next } as const;
  const step = await chain(call, context).next();
  return Buffer.from(generated.responseType.encode(step.value as never).finish());
}

function decode({ requestType }: GeneratedMethod, bytes: Uint8Array): unknown {
  try {
    return requestType.decode(bytes);
  } catch (cause) {
    throw new DomainError("INVALID_ARGUMENT", "request is not an encoded message of the method", {
      cause,
      details: { field: "request" },
    });
  }
}

/** The chain left the status in the trailer; what fails outside of it has none yet. */
function failureOf(error: unknown, trailer: Metadata): lineV1.OpenResponse {
  const value = decodeRpcStatus(trailer.get(STATUS_DETAILS_KEY) ?? toRpcError(error).statusDetails);
  if (value === undefined) throw error;
  return { result: { $case: "failure", value } };
}
