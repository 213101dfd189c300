/**
 * @file The four services as containers, from the images that `deploy/build.sh` makes.
 */
import {
  GenericContainer,
  getContainerRuntimeClient,
  type StartedNetwork,
  type StartedTestContainer,
  Wait,
} from "testcontainers";
import { createClients, type RunningServices, type ServiceEnv } from "../lib/services.ts";

/** Names of the services, stages first. */
const STAGES = { reembed: 50_051, aggregate: 50_052, pretrain: 50_053 } as const;
const GATEWAY_PORT = 50_050;

/** A service that has an image. */
export type ServiceName = "gateway" | keyof typeof STAGES;

/** All of them. */
export const SERVICE_NAMES: readonly ServiceName[] = ["gateway", "reembed", "aggregate", "pretrain"];

/** The image of a service; `PARFOCAL_TEST_IMAGES` names others, with `{}` where the service's name stands. */
export function imageOf(service: ServiceName): string {
  return (process.env.PARFOCAL_TEST_IMAGES || "parfocal/{}:test").replace("{}", service);
}

/**
 * Why the images cannot be tested here; `undefined` when they can.
 *
 * @throws Error where they must be: with `CI=true` or `PARFOCAL_REQUIRE_DOCKER=1` a missing image is a failure.
 */
export async function whyNoImages(): Promise<string | undefined> {
  const { container } = await getContainerRuntimeClient();
  for (const service of SERVICE_NAMES) {
    const image = imageOf(service);
    const isHere = await container.dockerode
      .getImage(image)
      .inspect()
      .then(
        () => true,
        () => false,
      );
    if (isHere) continue;
    const reason = `no image ${image} (TAG=test deploy/build.sh builds it)`;
    const { CI, PARFOCAL_REQUIRE_DOCKER: required } = process.env;
    if (CI === "true" || required === "1") throw new Error(`${reason}; this run requires it`);
    return reason;
  }
  return undefined;
}

/** A container as a careful cluster runs it: nothing below `/` can be written, no capabilities, `/tmp` in memory. */
class HardenedContainer extends GenericContainer {
  constructor(image: string) {
    super(image);
    this.hostConfig.ReadonlyRootfs = true;
    this.withTmpFs({ "/tmp": "rw,noexec,nosuid,nodev,size=512m,mode=1777" })
      .withDroppedCapabilities("ALL")
      .withSecurityOpt("no-new-privileges");
  }
}

/** Services in containers. */
export interface ServiceContainers extends RunningServices {
  readonly containers: Readonly<Record<ServiceName, StartedTestContainer>>;
}

/** Starts one service on `network` under its own name, and waits until it listens. */
async function startServiceContainer(
  service: ServiceName,
  network: StartedNetwork,
  env: ServiceEnv,
): Promise<StartedTestContainer> {
  const port = service === "gateway" ? GATEWAY_PORT : STAGES[service];
  return new HardenedContainer(imageOf(service))
    .withNetwork(network)
    .withNetworkAliases(service)
    .withEnvironment({ HOST: "0.0.0.0", PARFOCAL_ALLOW_REMOTE: "true", PARFOCAL_THREADS: "1", ...env })
    .withExposedPorts(port)
    .withWaitStrategy(Wait.forLogMessage('"event":"listening"'))
    .withStartupTimeout(120_000)
    .start();
}

/** Starts all four; the gateway finds the stages by name. */
export async function startServiceContainers(network: StartedNetwork, env: ServiceEnv): Promise<ServiceContainers> {
  const start = (service: ServiceName, more = {}) => startServiceContainer(service, network, { ...env, ...more });
  const [reembed, aggregate, pretrain] = await Promise.all([start("reembed"), start("aggregate"), start("pretrain")]);
  const gateway = await start("gateway", {
    PARFOCAL_REEMBED_ADDRESS: `reembed:${STAGES.reembed}`,
    PARFOCAL_AGGREGATE_ADDRESS: `aggregate:${STAGES.aggregate}`,
    PARFOCAL_PRETRAIN_ADDRESS: `pretrain:${STAGES.pretrain}`,
  });
  const containers = { gateway, reembed, aggregate, pretrain };
  const clients = createClients(`${gateway.getHost()}:${gateway.getMappedPort(GATEWAY_PORT)}`);
  return {
    clients,
    containers,
    async close() {
      clients.channel.close();
      for (const service of SERVICE_NAMES) await containers[service].stop();
    },
  };
}
