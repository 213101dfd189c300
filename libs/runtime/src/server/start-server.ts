import type { ServerCredentials } from "@grpc/grpc-js";
import { DomainError } from "@parfocal/errors";
import { createDescriptorIndex, readDescriptorSet } from "@parfocal/protocol";
import { createServer } from "nice-grpc";
import type { ServerMiddleware } from "nice-grpc-common";
import { forgetClosedStreams } from "../memory/forget-closed-streams.ts";
import { createSecurity, type Security } from "../security/create-security.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createServerMetrics, type ServerMetrics } from "../telemetry/metrics.ts";
import { type MetricsServer, startMetricsServer } from "../telemetry/metrics-server.ts";
import { createActivate } from "./activate.ts";
import { createAdmit, type LimitsByMethod } from "./admit.ts";
import { recordOfCall, recordUnread } from "./audit.ts";
import { createAuthorize } from "./authorize.ts";
import type { Authorizer } from "./authorizer.ts";
import { createBoundTime } from "./bound-time.ts";
import { createCallOrigins } from "./call-origins.ts";
import type { CallScope } from "./call-scope.ts";
import { channelOptions } from "./channel-options.ts";
import { composeChain } from "./compose-chain.ts";
import type { ServerService } from "./define-service.ts";
import { createHealth, type Health } from "./health.ts";
import { createIdentify } from "./identify.ts";
import { createIsolate, type NamesByMethod } from "./isolate.ts";
import { createLimit } from "./limit.ts";
import { createLines } from "./lines.ts";
import { openOrClose } from "./open-or-close.ts";
import type { Readiness } from "./readiness.ts";
import { createRecover, type EndedCall } from "./recover.ts";
import { createReflection } from "./reflection.ts";
import type { ServerConfig } from "./server-config.ts";
import { createShutdown, type Shutdown, type StopOptions, type StopReport } from "./shutdown.ts";
import { createValidate, type Validators } from "./validate.ts";

/** Options of {@link startServer}. */
export interface ServerOptions {
  readonly services: readonly ServerService[];
  readonly config: ServerConfig;
  readonly logger: Logger;
  /** Name of the service in audit records. */
  readonly name?: string;
  /** Who may call what. Default: what the configuration says, else this machine, or with `allowRemote` everybody. */
  readonly authorizer?: Authorizer;
  /** Methods that concern no project, as `package.Service/Method`; a trailing `*` stands for any rest. */
  readonly projectFree?: readonly string[];
  /** What methods name where no text of their requests shows it. */
  readonly namesIn?: NamesByMethod;
  /** Root of the store: URIs below it belong to the project that their key names. */
  readonly storeRootUri?: string;
  /** Bounds of single methods. */
  readonly limits?: LimitsByMethod;
  /** Checks of requests. */
  readonly validators?: Validators;
  /** Default: what the configuration says, else plain text. */
  readonly credentials?: ServerCredentials;
  /** What health tells from now on. Closed with the server, and when it cannot start. */
  readonly readiness?: Readiness;
  /** What health says at first where nothing is looked at; default SERVING. */
  readonly isReady?: boolean;
  /** Where calls are counted; a registry of its own when absent. */
  readonly metrics?: ServerMetrics;
  /** Whether unary calls may come over lines too, see {@link createLines}. Default: no. */
  readonly hasLines?: boolean;
}

/** A server that listens. */
export interface RunningServer {
  /** `host:port` to give to clients, with the port that was bound. */
  readonly address: string;
  readonly port: number;
  readonly health: Health;
  readonly metrics: ServerMetrics;
  /** Port of `/metrics`, when configured. */
  readonly metricsPort: number | undefined;
  /**
   * NOT_SERVING, a lame-duck pause, no new calls, `drainMs` for the running ones, then their signals fire and what is
   * left is cut. Later calls give the same promise; `drainMs: 0` in one of them cuts the drain short.
   */
  stop(options?: StopOptions): Promise<StopReport>;
}

/**
 * Listens with the whole chain (recover, count and record, identify, authorize, limit, isolate, admit, bound the time,
 * validate, handle), health, and reflection when configured. A start that fails leaves nothing open.
 *
 * @throws {DomainError} PRECONDITION_FAILED when other machines could call and nobody would ask who they are;
 * INVALID_ARGUMENT for a file of the security that cannot be used; UNREACHABLE when the port cannot be had.
 */
export function startServer(options: ServerOptions): Promise<RunningServer> {
  return openOrClose(options.logger, (opened) => openServer(options, opened));
}

async function openServer(options: ServerOptions, opened: AsyncDisposableStack): Promise<RunningServer> {
  const { config, logger } = options;
  forgetClosedStreams();
  opened.defer(() => options.readiness?.close());
  const security = opened.adopt(createSecurity(config, logger), (each) => each.close());
  const metrics = options.metrics ?? createServerMetrics();
  const names = options.services.map((service) => service.name);
  const { health, service: healthService } = createHealth(names, options.readiness?.isReady ?? options.isReady ?? true);
  const shutdown = createShutdown({ health, logger, lameDuckMs: config.lameDuckMs, drainMs: config.drainMs });
  const { server, add, addLines } = createChain(options, { metrics, shutdown, security });
  for (const service of withReflection([...options.services, healthService], config, shutdown)) add(service);
  if (options.hasLines === true) addLines(options.services);
  const credentials = options.credentials ?? security.credentials;
  const port = await listen(server, config, credentials);
  opened.defer(() => server.forceShutdown());
  const http = await startHttp(config, metrics, health).catch((error: unknown) => {
    throw unreachable(`${config.metricsHost}:${config.metricsPort}`, error);
  });
  shutdown.attach(server, http);
  options.readiness?.attach(health, names);
  logger.info("listening", { host: config.host, port });
  return {
    address: `${hostForUrl(config.host)}:${port}`,
    port,
    health,
    metrics,
    metricsPort: http?.port,
    async stop(stopOptions) {
      options.readiness?.close();
      const report = await shutdown.stop(stopOptions);
      await security.close();
      return report;
    },
  };
}

interface ChainParts {
  readonly metrics: ServerMetrics;
  readonly shutdown: Shutdown;
  readonly security: Security;
}

/** A server, and what adds services to it behind the chain of steps, and lines to some of them. */
function createChain({ config, logger, ...options }: ServerOptions, { metrics, shutdown, security }: ChainParts) {
  const { limits = {}, name = "server", projectFree = [], namesIn = {}, storeRootUri } = options;
  const { maxConcurrentPerMethod, defaultDeadlineMs, maxDeadlineMs } = config;
  const { draining, ending } = shutdown;
  const { audit, limiter, hasClientCertificates } = security;
  const origins = createCallOrigins({
    hasClientCertificates,
    ...(audit === undefined ? {} : { onEnd: (origin) => recordUnread(audit, name, origin) }),
  });
  const onEnd = audit && ((call: EndedCall) => audit.record(recordOfCall(name, call)));
  const admit = createAdmit({ maxConcurrentPerMethod, limits, shutdown });
  const boundTime = createBoundTime({ defaultDeadlineMs, maxDeadlineMs, limits, draining, ending });
  const authorized = composeChain(createRecover({ logger, metrics, origins, onEnd }))
    .use(createIdentify(logger))
    .use(createAuthorize(options.authorizer ?? security.authorizer));
  const chain: ServerMiddleware<CallScope> = authorized
    .use(createLimit({ limiter, audit }))
    .use(createIsolate({ projectFree, namesIn, storeRootUri }))
    .use(admit)
    .use(boundTime)
    .use(createValidate(options.validators ?? {}))
    .use(createActivate()).middleware;
  const server = createServer(channelOptions(config, origins.interceptor));
  const add = (middleware: ServerMiddleware<CallScope>, { definition, implementation }: ServerService) =>
    server.with(middleware).add(definition, implementation);
  return {
    server,
    add: (service: ServerService) => add(chain, service),
    // A caller's share and projects are those of the calls on a line: counted twice, lines would keep the caller's own calls out.
    addLines: (services: readonly ServerService[]) =>
      add(authorized.use(admit).use(boundTime).middleware, createLines({ chain, services, origins, draining })),
  };
}

function withReflection(services: readonly ServerService[], config: ServerConfig, shutdown: Shutdown) {
  if (!config.reflection) return services;
  const names = services.map((service) => service.name);
  const own = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
  const index = createDescriptorIndex(readDescriptorSet());
  return [...services, ...createReflection(index, [...names, ...own], shutdown.draining)];
}

function hostForUrl(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

async function listen(
  server: ReturnType<typeof createChain>["server"],
  config: ServerConfig,
  credentials: ServerCredentials,
): Promise<number> {
  const address = `${hostForUrl(config.host)}:${config.port}`;
  try {
    return await server.listen(address, credentials);
  } catch (error) {
    throw unreachable(address, error);
  }
}

function unreachable(address: string, cause: unknown): DomainError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DomainError("UNREACHABLE", `cannot listen on ${address}: ${reason}`, { cause });
}

async function startHttp(
  config: ServerConfig,
  metrics: ServerMetrics,
  health: Health,
): Promise<MetricsServer | undefined> {
  if (config.metricsPort === undefined) return undefined;
  const { metricsHost: host, metricsPort: port } = config;
  return startMetricsServer({ registry: metrics.registry, host, port, isReady: () => health.isServing() });
}
