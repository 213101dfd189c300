import { type Logger, openOrClose, securitySettings, startTracing } from "@parfocal/runtime";
import { aggregateConfigFromEnv, startAggregate } from "@parfocal/service-aggregate";
import { gatewayConfigFromEnv, startGateway } from "@parfocal/service-gateway";
import { pretrainConfigFromEnv, startPretrain } from "@parfocal/service-pretrain";
import { reembedConfigFromEnv, startReembed } from "@parfocal/service-reembed";

/** The services by name. */
type ServiceName = "gateway" | "reembed" | "aggregate" | "pretrain";

/** Ports to listen on; 0: any free one. */
export type ServicePorts = Readonly<Record<ServiceName, number>>;

/** Any free port for each. */
export const FREE_PORTS: ServicePorts = { gateway: 0, reembed: 0, aggregate: 0, pretrain: 0 };

/** All four services in this process. */
export interface Embedded {
  /** `host:port` of each. */
  readonly addresses: Readonly<Record<ServiceName, string>>;
  /** URI of the store, as the services resolved it. */
  readonly storeUri: string;
  /** Stops in good order, the gateway first. `isHurried`: running calls are cut instead of waited for. */
  close(isHurried?: boolean): Promise<void>;
}

/** Something that serves. */
interface Part {
  readonly server: { readonly address: string; stop(options?: { drainMs?: number }): Promise<unknown> };
  close(): Promise<void>;
}

/**
 * What stages beside a gateway are told: they serve its process alone, so that who calls is asked at one door, and one
 * process has one metrics port, the gateway's.
 */
const STAGE_ENV: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.values(securitySettings).map(({ env }) => [env, ""])),
  ...{ HOST: "127.0.0.1", PARFOCAL_ALLOW_REMOTE: "false", PARFOCAL_METRICS_PORT: "" },
};

/**
 * Starts the stages, then a gateway that knows them, from the same settings as the standalone services. A start that fails leaves
 * nothing open.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for a bad setting, `UNREACHABLE` when a port is taken, `CONFLICT` when another
 *   gateway runs on the same store, `DEVICE_MISSING`.
 */
export async function startEmbedded(env: NodeJS.ProcessEnv, ports: ServicePorts, logger: Logger): Promise<Embedded> {
  const envOf = (name: ServiceName): NodeJS.ProcessEnv => ({
    ...env,
    PORT: String(ports[name]),
    ...(name === "gateway" ? {} : STAGE_ENV),
  });
  const gatewayConfig = gatewayConfigFromEnv(envOf("gateway"));
  return openOrClose(logger, async (opened) => {
    opened.adopt(await startTracing("all", gatewayConfig), (tracing) => tracing.close());
    // A start that fails has no calls to wait for.
    const closing = { isHurried: true };
    const keep = async (starting: Promise<Part>): Promise<string> => {
      const part = opened.adopt(await starting, (each) => closePart(each, closing.isHurried));
      return part.server.address;
    };
    const aggregate = await keep(startAggregate(aggregateConfigFromEnv(envOf("aggregate")), logger, env));
    const reembed = await keep(startReembed(reembedConfigFromEnv(envOf("reembed")), logger, env));
    const pretrain = await keep(startPretrain(pretrainConfigFromEnv(envOf("pretrain")), logger, env));
    const stages = { reembedAddress: reembed, aggregateAddress: aggregate, pretrainAddress: pretrain };
    const gateway = await keep(startGateway({ ...gatewayConfig, ...stages }, logger, env));
    return {
      addresses: { gateway, reembed, aggregate, pretrain },
      storeUri: gatewayConfig.storeUri,
      close(isHurried = false) {
        closing.isHurried = isHurried;
        return opened.disposeAsync();
      },
    };
  });
}

async function closePart(part: Part, isHurried: boolean): Promise<void> {
  if (isHurried) await part.server.stop({ drainMs: 0 });
  await part.close();
}
