import type { lineV1 } from "@parfocal/protocol";
import type { Metadata } from "nice-grpc-common";
import { domainErrorFromStatus } from "../errors/domain-error-from-rpc.ts";
import type { GeneratedDefinition, GeneratedMethod } from "../server/define-service.ts";
import type { Lines } from "./lines.ts";

/** A unary call that may go over a line. */
export interface LineCall {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: unknown;
  readonly metadata: Metadata;
  readonly deadlineMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Makes calls over lines where it pays. */
export interface LineCalls {
  /**
   * The response; `undefined` when the call has to be made by itself, now or once more.
   *
   * @throws {DomainError} what the server answers.
   */
  call<Response>(call: LineCall): Promise<Response | undefined>;
}

/** Calls of the methods `names` of a service over `lines`. They must be idempotent: a call whose line ended is made once more. */
export function createLineCalls(definition: GeneratedDefinition, names: readonly string[], lines: Lines): LineCalls {
  const methods = new Map<string, GeneratedMethod>(
    Object.values(definition.methods)
      .filter(({ name }) => names.includes(name))
      .map((method) => [`/${definition.fullName}/${method.name}`, method]),
  );
  return {
    async call<Response>(call: LineCall) {
      const method = methods.get(call.path);
      if (method === undefined) return undefined;
      const answer = await lines.call(requestOf(call, method), call.signal);
      if (answer === undefined) return undefined;
      if (answer.result?.$case === "response") return method.responseType.decode(answer.result.value) as Response;
      throw domainErrorFromStatus(
        answer.result?.value ?? { code: 0, message: "an answer without a result", details: [] },
      );
    },
  };
}

function requestOf(
  { path, request, metadata, deadlineMs }: LineCall,
  { requestType }: GeneratedMethod,
): lineV1.OpenRequest {
  const left = deadlineMs === undefined ? 0 : Math.max(1, Math.ceil(deadlineMs - Date.now()));
  return {
    method: path.slice(1),
    timeoutMs: BigInt(left),
    metadata: textsOf(metadata),
    request: Buffer.from(requestType.encode(request as never).finish()),
  };
}

/** The metadata that are text; its deadline has a field of its own. */
function textsOf(metadata: Metadata): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [key, [value]] of metadata) if (typeof value === "string" && key !== "grpc-timeout") texts[key] = value;
  return texts;
}
