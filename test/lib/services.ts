/**
 * @file Real services on loopback, port 0, for tests: in this process, or each in its own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { gatewayV1, googleLongrunning } from "@parfocal/protocol";
import {
  type Channel,
  createChannelTo,
  createSilentLogger,
  createStageClient,
  type StageClientOptions,
} from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { gatewayConfigFromEnv, startGateway } from "@parfocal/service-gateway";
import { pretrainConfigFromEnv, startPretrain } from "@parfocal/service-pretrain";
import { reembedConfigFromEnv, startReembed } from "@parfocal/service-reembed";

/** Environment of the services: store and its credentials. */
export type ServiceEnv = Readonly<Record<string, string>>;

/** Clients of a gateway on one channel. */
export function createClients(address: string, options: StageClientOptions = {}) {
  const channel = createChannelTo(address, options.channel);
  return {
    channel,
    bags: createStageClient(gatewayV1.BagServiceDefinition, channel, options).calls,
    models: createStageClient(gatewayV1.ModelServiceDefinition, channel, options).calls,
    training: createStageClient(gatewayV1.TrainingServiceDefinition, channel, options).calls,
    prediction: createStageClient(gatewayV1.PredictionServiceDefinition, channel, options).calls,
    operations: createStageClient(googleLongrunning.OperationsDefinition, channel, options).calls,
    watching: createStageClient(gatewayV1.OperationServiceDefinition, channel, options).calls,
  };
}

/** What {@link createClients} gives. */
export type Clients = ReturnType<typeof createClients>;

/** The gateway and its three stages in this process. */
export async function startServices(storeEnv: ServiceEnv) {
  const env = { PORT: "0", PARFOCAL_THREADS: "1", ...storeEnv };
  const logger = createSilentLogger();
  const aggregate = await startAggregate(aggregateConfigFromEnv(env), logger, env);
  const reembed = await startReembed(reembedConfigFromEnv(env), logger, env);
  const pretrain = await startPretrain(pretrainConfigFromEnv(env), logger, env);
  const addressed = {
    ...env,
    PARFOCAL_PRETRAIN_ADDRESS: pretrain.server.address,
    PARFOCAL_AGGREGATE_ADDRESS: aggregate.server.address,
    PARFOCAL_REEMBED_ADDRESS: reembed.server.address,
  };
  const gateway = await startGateway(gatewayConfigFromEnv(addressed), logger, addressed);
  const clients = createClients(gateway.server.address);
  return {
    clients,
    gatewayAddress: gateway.server.address,
    aggregateAddress: aggregate.server.address,
    reembedAddress: reembed.server.address,
    pretrainAddress: pretrain.server.address,
    async close() {
      clients.channel.close();
      await gateway.close();
      await pretrain.close();
      await reembed.close();
      await aggregate.close();
    },
  };
}

/** A gateway and its stages, wherever they run. */
export interface RunningServices {
  readonly clients: Clients;
  close(): Promise<void>;
}

/** What {@link startServices} gives. */
export type Services = Awaited<ReturnType<typeof startServices>>;

/** A service in a process of its own. */
export interface ServiceProcess {
  readonly address: string;
  readonly process: ChildProcess;
  /** Ends it with `signal` and waits until it is gone; gives its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts a service's `main.ts`, `execArgv` before it, and waits until it listens. `port` 0: any free one. */
export async function startServiceProcess(
  name: "gateway" | "aggregate" | "reembed" | "pretrain",
  env: ServiceEnv,
  execArgv: string[] = [],
): Promise<ServiceProcess> {
  const child = fork(new URL(`../../services/${name}/src/main.ts`, import.meta.url), {
    env: { PATH: process.env.PATH, PORT: "0", PARFOCAL_THREADS: "1", ...env },
    silent: true,
    execArgv,
  });
  const port = await portFromLog(child, name);
  return {
    address: `127.0.0.1:${port}`,
    process: child,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
      const gone = once(child, "exit") as Promise<[number | null]>;
      child.kill(signal);
      return (await gone)[0];
    },
  };
}

/** The port that the service says it listens on, in its structured log. */
function portFromLog(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
    child.stdout?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      const line = log.split("\n").find((candidate) => candidate.includes('"event":"listening"'));
      if (line !== undefined) resolve((JSON.parse(line) as { port: number }).port);
    });
    child.once("exit", (code, signal) =>
      reject(new Error(`${name} ended (${signal ?? code}) before it listened:\n${log}`)),
    );
  });
}

/** Closes a channel after `work`. */
export async function withClients<T>(address: string, work: (clients: Clients) => Promise<T>): Promise<T> {
  const clients = createClients(address);
  try {
    return await work(clients);
  } finally {
    (clients.channel as Channel).close();
  }
}
