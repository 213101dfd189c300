import { Client, credentials, status as GrpcStatus, Metadata } from "@grpc/grpc-js";
import { lineV1 } from "@parfocal/protocol";
import type { Channel } from "./create-channel-to.ts";
import { createLine, type Line, LineEnded } from "./line.ts";

/** Options of {@link createLines}. */
export interface LinesOptions {
  readonly channel: Channel;
  /** Gives the token that a line shows when it is opened. */
  readonly bearerToken?: (() => string) | undefined;
  /** Silence after which a line is closed, ms; default 1 s: a server that counts calls sees them end soon after the last one. */
  readonly idleMs?: number;
  /** Age after which a line takes no further call, ms; default 10 s: calls come to new replicas and leave old ones. */
  readonly maxAgeMs?: number;
  /** Pause before lines are tried again at a server that refused one, ms; default 60 s. */
  readonly refusedMs?: number;
  /** The same at a server that ended a line, ms; default 1 s: one that stops ends each at once until it is gone. */
  readonly endedMs?: number;
}

/** The lines to one server. */
export interface Lines {
  /**
   * Makes a call on an idle line, or on a new one when the last call was less than `idleMs` ago. `undefined`: it is to be made by
   * itself, because calls are rare, the server has no lines, or the line ended before the answer came.
   */
  call(request: lineV1.OpenRequest, signal: AbortSignal): Promise<lineV1.OpenResponse | undefined>;
  close(): void;
}

const { open } = lineV1.LineServiceDefinition.methods;
const PATH = `/${lineV1.LineServiceDefinition.fullName}/${open.name}`;

/**
 * Keeps lines open over a channel: as many as there were calls at a time lately. Each carries one call at a time, so that calls never
 * wait for each other.
 */
export function createLines({ channel, bearerToken, ...options }: LinesOptions): Lines {
  const { idleMs = 1000, maxAgeMs = 10_000, refusedMs = 60_000, endedMs = 1000 } = options;
  const client = new Client("", credentials.createInsecure(), { channelOverride: channel });
  /** The one used last is last. */
  const idle: { readonly line: Line; readonly sinceMs: number }[] = [];
  let lastCallMs = Number.NEGATIVE_INFINITY;
  let refusedUntilMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const isFresh = ({ line, sinceMs }: (typeof idle)[number], nowMs: number) =>
    line.isOpen() && nowMs - line.openedMs < maxAgeMs && nowMs - sinceMs < idleMs;

  function sweep(): void {
    const nowMs = performance.now();
    const kept = idle.filter((each) => isFresh(each, nowMs));
    for (const { line } of idle.filter((each) => !kept.includes(each))) line.close();
    idle.splice(0, idle.length, ...kept);
    timer = kept.length === 0 ? undefined : setTimeout(sweep, idleMs).unref();
  }

  function openLine(): Line {
    const metadata = new Metadata();
    if (bearerToken !== undefined) metadata.set("authorization", `Bearer ${bearerToken()}`);
    return createLine(client.makeBidiStreamRequest(PATH, encode, decode, metadata));
  }

  function take(nowMs: number): Line | undefined {
    const isOften = nowMs - lastCallMs < idleMs;
    lastCallMs = nowMs;
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      if (isFresh(last, nowMs)) return last.line;
      last.line.close();
    }
    return isOften && nowMs >= refusedUntilMs ? openLine() : undefined;
  }

  function giveBack(line: Line): void {
    if (isClosed) {
      line.close();
      return;
    }
    idle.push({ line, sinceMs: performance.now() });
    timer ??= setTimeout(sweep, idleMs).unref();
  }

  return {
    async call(request, signal) {
      const line = take(performance.now());
      if (line === undefined) return undefined;
      try {
        const response = await line.call(request, signal);
        giveBack(line);
        return response;
      } catch (error) {
        if (!(error instanceof LineEnded)) throw error;
        if (signal.aborted) return undefined;
        const pauseMs = REFUSALS.has(error.status) ? refusedMs : endedMs;
        refusedUntilMs = Math.max(refusedUntilMs, performance.now() + pauseMs);
        return undefined;
      }
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const { line } of idle.splice(0)) line.close();
    },
  };
}

/** How a server ends a line that it will not have: it knows none, not from this caller, or has too many. */
const REFUSALS: ReadonlySet<GrpcStatus> = new Set([
  GrpcStatus.UNIMPLEMENTED,
  GrpcStatus.PERMISSION_DENIED,
  GrpcStatus.UNAUTHENTICATED,
  GrpcStatus.RESOURCE_EXHAUSTED,
]);

const encode = (message: lineV1.OpenRequest) => Buffer.from(open.requestType.encode(message).finish());
const decode = (bytes: Buffer) => open.responseType.decode(bytes);
