import type { Agent } from "node:http";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

/**
 * Gives an agent a bound for connecting, TLS included: a connection that is not there by then fails with `ETIMEDOUT`. The SDK's
 * own limit also counts the wait for one of the agent's sockets, so that a busy store looked like one that is down.
 */
export function limitConnecting<T extends Agent>(agent: T, timeoutMs: number): T {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, onCreated) => limited(connect(options, onCreated), timeoutMs);
  return agent;
}

function limited<T extends Duplex | null | undefined>(socket: T, timeoutMs: number): T {
  const timer = setTimeout(() => socket?.destroy(timeoutError(timeoutMs)), timeoutMs);
  const stop = () => clearTimeout(timer);
  socket?.once(socket instanceof TLSSocket ? "secureConnect" : "connect", stop).once("close", stop);
  return socket;
}

function timeoutError(timeoutMs: number): Error {
  return Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "ETIMEDOUT" });
}
