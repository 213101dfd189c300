import type { ServerInterceptor } from "@grpc/grpc-js";
import type { ChannelOptions } from "nice-grpc";
import { explainOversized } from "./explain-oversized.ts";
import type { ServerConfig } from "./server-config.ts";

/** Flow-control window of a stream, bytes: HTTP/2's own 64 KiB would make a fast caller wait for every 64 KiB. */
const FLOW_CONTROL_WINDOW_BYTES = 1024 * 1024;

/** gRPC's options of a server; every bound that it leaves open by default is set. */
export function channelOptions(config: ServerConfig, interceptor: ServerInterceptor): ChannelOptions {
  return {
    "grpc.max_receive_message_length": config.maxReceiveBytes,
    "grpc.max_send_message_length": config.maxSendBytes,
    "grpc.max_concurrent_streams": config.maxConcurrentStreams,
    "grpc.keepalive_time_ms": config.keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": config.keepaliveTimeoutMs,
    "grpc.max_connection_age_ms": config.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": config.maxConnectionAgeGraceMs,
    "grpc-node.max_session_memory": config.maxSessionMemoryMb,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    // Channelz stays on though nobody reads its pages: grpc-js 1.14 keeps its list of connections there, and without
    // that list a forced shutdown cuts none of them.
    "grpc.enable_channelz": 1,
    interceptors: [explainOversized, interceptor],
  };
}
