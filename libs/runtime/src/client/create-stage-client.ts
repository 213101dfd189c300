import { type Client, type CompatServiceDefinition, createClientFactory } from "nice-grpc";
import type { GeneratedDefinition } from "../server/define-service.ts";
import type { StageCallMetrics } from "../telemetry/stage-call-metrics.ts";
import { type Channel, type ChannelToOptions, createChannelTo } from "./create-channel-to.ts";
import { createLineCalls } from "./line-calls.ts";
import { createLines } from "./lines.ts";
import { createRetryPolicy, type RetryOptions } from "./retry.ts";
import { createStageMiddleware, type StageCallOptions } from "./stage-middleware.ts";

/** Options of {@link createStageClient}. */
export interface StageClientOptions {
  /** Longest wait of a unary call that says nothing itself, ms; default 60 s. */
  readonly defaultTimeoutMs?: number;
  /** Kept back of the parent's deadline, so that there is time to answer it, ms; default 20. */
  readonly marginMs?: number;
  readonly retry?: RetryOptions;
  /** Names of idempotent unary methods, e.g. `["Predict"]`: only these are tried again. */
  readonly idempotentMethods?: readonly string[];
  /** Names of those of them that are small and called often, e.g. `["Predict"]`: they go over lines where the server has them. */
  readonly lineMethods?: readonly string[];
  /** Gives the token that every call shows, asked before each: it may be renewed. */
  readonly bearerToken?: (() => string) | undefined;
  /** Where calls are timed. */
  readonly metrics?: StageCallMetrics | undefined;
  /** Of the channel, when it is made here. */
  readonly channel?: ChannelToOptions;
}

/** A client of one service. */
export interface StageClient<Definition extends CompatServiceDefinition> {
  /**
   * The methods. They throw the `DomainError` that the server threw, code and details included; only a `CANCELLED` that nobody here
   * asked for is `UNREACHABLE`.
   */
  readonly calls: Client<Definition, StageCallOptions>;
  /** Closes the channel if it was made here. */
  close(): void;
}

/**
 * A client of the service `definition` at `target`, an address (`host:port`) or a channel to share.
 *
 * Calls made for a call (`{ parent: context }`) carry its deadline less a margin, its cancellation, its request id and
 * its trace. Errors come back as `DomainError`s; UNREACHABLE ones of idempotent unary methods are retried within the
 * deadline.
 */
export function createStageClient<Definition extends GeneratedDefinition & CompatServiceDefinition>(
  definition: Definition,
  target: string | Channel,
  options: StageClientOptions = {},
): StageClient<Definition> {
  const isOwn = typeof target === "string";
  const channel = isOwn ? createChannelTo(target, options.channel) : target;
  const { bearerToken, lineMethods = [] } = options;
  const lines = lineMethods.length === 0 ? undefined : createLines({ channel, bearerToken });
  const middleware = createStageMiddleware({
    defaultTimeoutMs: options.defaultTimeoutMs ?? 60_000,
    marginMs: options.marginMs ?? 20,
    retry: createRetryPolicy(options.retry),
    idempotentMethods: new Set(options.idempotentMethods),
    bearerToken,
    metrics: options.metrics,
    lines: lines && createLineCalls(definition, lineMethods, lines),
  });
  return {
    calls: createClientFactory().use(middleware).create(definition, channel) as Client<Definition, StageCallOptions>,
    close: () => {
      lines?.close();
      if (isOwn) channel.close();
    },
  };
}
