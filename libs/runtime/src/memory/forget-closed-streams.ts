import { subscribe } from "node:diagnostics_channel";
import type { Http2Stream } from "node:http2";

/** Where Node tells of streams that begin to close. */
const CHANNELS = ["http2.client.stream.close", "http2.server.stream.close"];

let isSubscribed = false;

/**
 * Takes the listeners from every HTTP/2 stream of this process that has closed. Nothing is emitted after `close`, but the
 * session's table of streams keeps closed ones from V8's young generation (see `createSlots`), and with its listeners a stream
 * would keep all that gRPC and handlers know of its call until the next full collection. Again: nothing.
 */
export function forgetClosedStreams(): void {
  if (isSubscribed) return;
  isSubscribed = true;
  for (const channel of CHANNELS) subscribe(channel, (message) => forget((message as { stream: Http2Stream }).stream));
}

function forget(stream: Http2Stream): void {
  // A tick later: gRPC does the last of its work in one that its own listener asks for.
  stream.once("close", () => process.nextTick(() => stream.removeAllListeners()));
}
