import { context, trace } from "@opentelemetry/api";

/** Where spans go. */
export interface TracingOptions {
  /** URL of an OTLP collector over HTTP, e.g. `http://collector:4318`; empty: no spans are made. */
  readonly otlpEndpoint: string;
  /** Share of traces that begin here and are kept, 0 to 1; those that begin elsewhere are kept as their sender says. */
  readonly traceRatio: number;
}

/** The tracing of a process. */
export interface Tracing {
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Longest wait for the collector when the process ends, ms. */
const CLOSE_MS = 5000;

/**
 * Makes spans of this process and sends them to a collector. Without an endpoint nothing is loaded and spans cost
 * nothing; W3C trace context passes through all the same. Once per process.
 */
export async function startTracing(service: string, { otlpEndpoint, traceRatio }: TracingOptions): Promise<Tracing> {
  if (otlpEndpoint === "") return { close: async () => {} };
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }, { AsyncLocalStorageContextManager }] =
    await Promise.all([
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/context-async-hooks"),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${otlpEndpoint.replace(/\/+$/, "")}/v1/traces` });
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ "service.name": `parfocal-${service}`, "service.namespace": "parfocal" }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(traceRatio) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  trace.setGlobalTracerProvider(provider);
  return {
    async close() {
      const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref());
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      trace.disable();
      context.disable();
    },
  };
}
