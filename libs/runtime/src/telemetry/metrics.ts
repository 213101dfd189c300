import type { MethodDescriptor } from "nice-grpc-common";
import { Status } from "nice-grpc-common";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { LATENCY_BUCKETS_S } from "./buckets.ts";

/** Numbers of one server. Labels are methods and statuses: both are closed lists, so the series cannot multiply. */
export interface ServerMetrics {
  /** Where services register their own. */
  readonly registry: Registry;
  /** Counts a call that begins; the function it gives counts its end. */
  callStarted(method: MethodDescriptor): (status: Status, durationS: number) => void;
}

function kindOf({ requestStream, responseStream }: MethodDescriptor): string {
  if (requestStream) return responseStream ? "bidi_stream" : "client_stream";
  return responseStream ? "server_stream" : "unary";
}

/**
 * A registry with the calls of one server (`grpc_server_started_total`, `grpc_server_handled_total`,
 * `grpc_server_handling_seconds`, `grpc_server_in_flight`) and of its process (event loop delay, memory, CPU).
 */
export function createServerMetrics(): ServerMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const labels = ["grpc_type", "grpc_service", "grpc_method"] as const;
  const named = (name: string, help: string) => ({
    name: `grpc_server_${name}`,
    help,
    labelNames: labels,
    registers: [registry],
  });
  const started = new Counter(named("started_total", "Calls that reached the server."));
  const inFlight = new Gauge(named("in_flight", "Calls that run now."));
  const handled = new Counter({
    ...named("handled_total", "Calls that ended, by status."),
    labelNames: [...labels, "grpc_code"] as const,
  });
  const seconds = new Histogram({
    ...named("handling_seconds", "From the request to the end of the call."),
    buckets: LATENCY_BUCKETS_S,
  });
  return {
    registry,
    callStarted(method) {
      const [service = "", name = ""] = method.path.slice(1).split("/");
      const about = { grpc_type: kindOf(method), grpc_service: service, grpc_method: name };
      started.inc(about);
      inFlight.inc(about);
      return (status, durationS) => {
        inFlight.dec(about);
        handled.inc({ ...about, grpc_code: Status[status] });
        seconds.observe(about, durationS);
      };
    },
  };
}
