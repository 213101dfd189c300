import { type ClientDuplexStream, status as GrpcStatus, type StatusObject } from "@grpc/grpc-js";
import { DomainError } from "@parfocal/errors";
import type { lineV1 } from "@parfocal/protocol";

/** The stream of a line, as grpc-js gives it. */
export type LineStream = ClientDuplexStream<lineV1.OpenRequest, lineV1.OpenResponse>;

/** A line: a stream that stays open for one call after another. */
export interface Line {
  /** Whether it can take a call. */
  isOpen(): boolean;
  /** When it was opened, by `performance.now()`. */
  readonly openedMs: number;
  /**
   * Sends a call, one at a time. `signal` ends the call and the line with it.
   *
   * @throws {LineEnded} when the line ended before the answer came.
   */
  call(request: lineV1.OpenRequest, signal: AbortSignal): Promise<lineV1.OpenResponse>;
  /** Ends it, between calls. */
  close(): void;
}

/** A line ended before the answer came: whether the call was worked on is not known. */
export class LineEnded extends DomainError {
  /** How gRPC says that it ended. */
  readonly status: GrpcStatus;
  constructor({ code, details }: Pick<StatusObject, "code" | "details">) {
    super("UNREACHABLE", `the line ended before the answer came: ${details || GrpcStatus[code]}`);
    this.status = code;
  }
}

/** A line over `stream`, which was just opened. */
export function createLine(stream: LineStream): Line {
  let ended: LineEnded | undefined;
  let waiting: PromiseWithResolvers<lineV1.OpenResponse> | undefined;
  const end = (status: Pick<StatusObject, "code" | "details">) => {
    ended ??= new LineEnded(status);
    waiting?.reject(ended);
  };
  stream.on("data", (response: lineV1.OpenResponse) => waiting?.resolve(response));
  stream.on("status", end);
  // Errors are told by the status too; without a listener they would end the process.
  stream.on("error", () => {});
  // A server that ends a line well does not want to keep it.
  stream.on("end", () => end({ code: GrpcStatus.UNAVAILABLE, details: "the server ended it" }));
  const abort = () => stream.cancel();
  return {
    openedMs: performance.now(),
    isOpen: () => ended === undefined,
    async call(request, signal) {
      if (ended !== undefined) throw ended;
      waiting = Promise.withResolvers();
      signal.addEventListener("abort", abort, { once: true });
      try {
        stream.write(request);
        return await waiting.promise;
      } finally {
        signal.removeEventListener("abort", abort);
        waiting = undefined;
      }
    },
    close: () => stream.end(),
  };
}
