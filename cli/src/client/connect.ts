import { DomainError } from "@parfocal/errors";
import { createLogger, createSilentLogger, isLoopbackHost, type Logger, type LogLevel } from "@parfocal/runtime";
import { StartError, UsageError } from "../exit-codes.ts";
import { type Caller, createGatewayClients, type GatewayClients } from "./clients.ts";
import { FREE_PORTS, startEmbedded } from "./embedded.ts";
import { canConnect, findEndpoint } from "./endpoint-file.ts";

/** Folder of the store unless `PARFOCAL_STORE` or `--store` says otherwise; the services' own default. */
export const DEFAULT_STORE = "file:.parfocal/store";

/** Time to connect to a gateway that may be far away. */
const CONNECT_MS = 5000;

const ADDRESS = /^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:]+\]):\d{1,5}$/i;

/** A gateway to talk to. */
export interface Connection {
  readonly clients: GatewayClients;
  readonly address: string;
  /** Whether it runs in this process, for this command only. */
  readonly isEmbedded: boolean;
  /** `isHurried`: what still runs is cut. */
  close(isHurried?: boolean): Promise<void>;
}

/** How to find a gateway. */
export interface ConnectOptions {
  /** `host:port`; absent: the one that runs on the store, else one of our own. */
  readonly gateway?: string | undefined;
  /** Environment of the services, the store included. */
  readonly env: NodeJS.ProcessEnv;
  /** How the gateway is known and who calls it; absent: plain text, and nobody in particular. */
  readonly caller?: Caller;
}

/**
 * Connects to the gateway asked for, else to the one that `parfocal up` runs on the same local store, else starts all
 * services in this process.
 *
 * @throws {UsageError} for an address that is none. @throws {DomainError} `UNREACHABLE`. @throws {StartError} when the services cannot start here.
 */
export async function connectGateway(options: ConnectOptions): Promise<Connection> {
  const { gateway, env, caller = {} } = options;
  const running = await connectRunning(options);
  if (running !== undefined) return running;
  if (gateway !== undefined) throw new DomainError("UNREACHABLE", `no gateway answers at ${gateway}`);
  return startOwn(env, caller);
}

/**
 * Connects to the gateway asked for, else to the one that `parfocal up` runs on the same local store; undefined where none answers.
 *
 * @throws {UsageError} for an address that is none, and a token that would go to another machine in plain text.
 */
export async function connectRunning({ gateway, env, caller = {} }: ConnectOptions): Promise<Connection | undefined> {
  if (gateway !== undefined && !ADDRESS.test(gateway)) throw new UsageError(`--gateway "${gateway}" is not host:port`);
  const address = gateway ?? (await findEndpoint(env.PARFOCAL_STORE || DEFAULT_STORE));
  if (address === undefined) return undefined;
  assertTokenIsSafe(address, caller);
  if (gateway !== undefined && !(await canConnect(gateway, CONNECT_MS))) return undefined;
  const clients = createGatewayClients(address, caller);
  return { clients, address, isEmbedded: false, close: async () => clients.close() };
}

/** A token that is read on the way is as good as a password. */
function assertTokenIsSafe(address: string, { credentials, bearerToken }: Caller): void {
  const host = address.slice(0, address.lastIndexOf(":"));
  if (bearerToken === undefined || credentials !== undefined || isLoopbackHost(host)) return;
  throw new UsageError("a token is not sent to another machine in plain text; --tls or --tls-ca encrypts");
}

async function startOwn(env: NodeJS.ProcessEnv, caller: Caller): Promise<Connection> {
  const embedded = await startEmbedded(env, FREE_PORTS, createQuietLogger(env)).catch((cause: unknown) => {
    throw new StartError("the services cannot start", { cause });
  });
  const address = embedded.addresses.gateway;
  const clients = createGatewayClients(address, caller);
  return {
    clients,
    address,
    isEmbedded: true,
    async close(isHurried = false) {
      clients.close();
      await embedded.close(isHurried);
    },
  };
}

/** The services' log for tools: on standard error if `PARFOCAL_LOG_LEVEL` asks for one, else from `fallback` on. */
export function createQuietLogger(env: NodeJS.ProcessEnv, fallback?: LogLevel): Logger {
  const level = (env.PARFOCAL_LOG_LEVEL || undefined) as LogLevel | undefined;
  const wanted = level ?? fallback;
  if (wanted === undefined) return createSilentLogger();
  const destination = { write: (line: string) => void process.stderr.write(line) };
  return createLogger({ service: "parfocal", level: wanted, destination });
}
