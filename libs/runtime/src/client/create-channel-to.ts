import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { type Channel, createChannel } from "nice-grpc";
import { forgetClosedStreams } from "../memory/forget-closed-streams.ts";

/** A connection to a server; made by {@link createChannelTo}, shared by any number of clients. */
export type { Channel } from "nice-grpc";

/** Options of {@link createChannelTo}. */
export interface ChannelToOptions {
  /** Plain text when absent. */
  readonly credentials?: ChannelCredentials;
  /** Largest message accepted, bytes; default 16 MiB, what a server of ours sends at most. */
  readonly maxReceiveBytes?: number;
  /** Largest message sent, bytes; default 64 MiB: what a server accepts is for it to say, with the size and its bound. */
  readonly maxSendBytes?: number;
  /** Silence after which a connection with calls on it is pinged, ms; default 30 s. */
  readonly keepaliveTimeMs?: number;
  /** Wait for the answer to a ping, ms; default 10 s. */
  readonly keepaliveTimeoutMs?: number;
}

const MIB = 1024 * 1024;

/** Longest pause between attempts to connect, ms: gRPC's own two minutes would outlast every restart of a stage. */
const MAX_RECONNECT_MS = 5000;

/** gRPC's own default stays with the first address of a name for as long as it answers. */
const ROUND_ROBIN = JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] });

/** As on the server: HTTP/2's 64 KiB windows throttle streams. */
const FLOW_CONTROL_WINDOW_BYTES = MIB;

/**
 * A channel to `address` (`host:port`). A name of several addresses is spread over call by call. It connects at the first call, and again by itself whenever the connection is
 * lost. Close it when done.
 */
export function createChannelTo(address: string, options: ChannelToOptions = {}): Channel {
  forgetClosedStreams();
  return createChannel(address, options.credentials ?? credentials.createInsecure(), {
    "grpc.max_receive_message_length": options.maxReceiveBytes ?? 16 * MIB,
    "grpc.max_send_message_length": options.maxSendBytes ?? 64 * MIB,
    "grpc.service_config": ROUND_ROBIN,
    "grpc.keepalive_time_ms": options.keepaliveTimeMs ?? 30_000,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs ?? 10_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": MAX_RECONNECT_MS,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
    // Stages are neighbours: a proxy for the way out of the house is not on the way to them.
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
  });
}
