import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";

/** Options of {@link startMetricsServer}. */
export interface MetricsServerOptions {
  readonly registry: Registry;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What `/readyz` answers: 200 when true, 503 when not. */
  isReady(): boolean;
}

/** The HTTP side of a server. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` in Prometheus' text format, `/livez` (200 as long as it answers) and `/readyz` (also as `/healthz`);
 * rejects when the port cannot be had.
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    answer(options, request.url ?? "/").then(
      ({ status, type, body }) => response.writeHead(status, { "content-type": type }).end(body),
      () => response.writeHead(500).end(),
    );
  });
  // What asks here is a scraper: nothing of it may hold a socket for long.
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer({ registry, isReady }: MetricsServerOptions, url: string) {
  const plain = "text/plain; charset=utf-8";
  switch (url) {
    case "/metrics":
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    case "/livez":
      return { status: 200, type: plain, body: "alive\n" };
    case "/readyz":
    case "/healthz":
      return isReady()
        ? { status: 200, type: plain, body: "serving\n" }
        : { status: 503, type: plain, body: "not serving\n" };
    default:
      return { status: 404, type: plain, body: "here are /metrics, /livez and /readyz\n" };
  }
}
