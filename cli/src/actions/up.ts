import { once } from "node:events";
import { createQuietLogger } from "../client/connect.ts";
import { type ServicePorts, startEmbedded } from "../client/embedded.ts";
import { writeEndpoint } from "../client/endpoint-file.ts";
import { EXIT_CODES, type ExitCode, StartError, UsageError } from "../exit-codes.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `up`. */
export interface UpOptions {
  readonly port?: number;
  readonly reembedPort?: number;
  readonly aggregatePort?: number;
  readonly pretrainPort?: number;
}

/** The ports of the services by themselves. */
const USUAL_PORTS: ServicePorts = { gateway: 50_050, reembed: 50_051, aggregate: 50_052, pretrain: 50_053 };

/** `parfocal up`: serves until a signal. */
export async function runUp(context: CommandContext, options: UpOptions): Promise<ExitCode> {
  const { output, signal, env } = context;
  if (context.gateway !== undefined) throw new UsageError("up is a gateway itself: --gateway means nothing here");
  const ports = portsOf(options, env);
  const logger = createQuietLogger(env, "warn");
  const embedded = await startEmbedded(env, ports, logger).catch((cause: unknown) => {
    throw new StartError("the services cannot start", { cause });
  });
  const { addresses, storeUri } = embedded;
  const removeEndpoint = await writeEndpoint(storeUri, addresses.gateway);
  try {
    output.record({ event: "ready", ...addresses, store: storeUri, pid: process.pid });
    output.table(
      [{ title: "service" }, { title: "address" }],
      Object.entries(addresses).map(([name, address]) => [name, address]),
    );
    output.line(`store ${storeUri}`);
    output.line("serving; Ctrl-C stops");
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    removeEndpoint();
    await embedded.close();
  }
  output.note("stopped");
  return EXIT_CODES.ok;
}

function portsOf(options: UpOptions, env: NodeJS.ProcessEnv): ServicePorts {
  const gateway = options.port ?? portFromEnv(env.PORT) ?? USUAL_PORTS.gateway;
  const stages = gateway === 0 ? { reembed: 0, aggregate: 0, pretrain: 0 } : USUAL_PORTS;
  return {
    gateway,
    reembed: options.reembedPort ?? stages.reembed,
    aggregate: options.aggregatePort ?? stages.aggregate,
    pretrain: options.pretrainPort ?? stages.pretrain,
  };
}

/** The gateway's own reader refuses what is no port. */
function portFromEnv(text: string | undefined): number | undefined {
  return text === undefined || text === "" ? undefined : Number(text);
}
