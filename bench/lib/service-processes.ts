import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aggregateV1, reembedV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { imageOptionsOf } from "../../test/lib/image-options.ts";
import { createClients, startServiceProcess } from "../../test/lib/services.ts";

/**
 * Gateway, aggregate and reembed as they are deployed, each in a process of its own with the Node options of its image, on a file
 * store in a new folder.
 */
export async function startServiceProcesses(settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const env = { PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href, ...settings };
  const start = async (name: "gateway" | "aggregate" | "reembed", own: Readonly<Record<string, string>> = {}) => {
    const { nodeOptions, execArgv } = await imageOptionsOf(name);
    return startServiceProcess(name, { ...env, ...own, NODE_OPTIONS: nodeOptions }, execArgv);
  };
  const stage = await start("aggregate");
  const reembed = await start("reembed");
  const gateway = await start("gateway", {
    PARFOCAL_AGGREGATE_ADDRESS: stage.address,
    PARFOCAL_REEMBED_ADDRESS: reembed.address,
  });
  const clients = createClients(gateway.address);
  const direct = createStageClient(aggregateV1.AggregateServiceDefinition, stage.address);
  const reembedding = createStageClient(reembedV1.ReembedServiceDefinition, reembed.address);
  return {
    storeUri: env.PARFOCAL_STORE,
    /** host:port of the gateway and of the stage that aggregates. */
    addresses: { gateway: gateway.address, aggregate: stage.address },
    clients,
    /** The stage itself, without the gateway before it. */
    aggregate: direct.calls,
    reembed: reembedding.calls,
    gatewayPid: gateway.process.pid,
    aggregatePid: stage.process.pid,
    reembedPid: reembed.process.pid,
    async close() {
      clients.channel.close();
      direct.close();
      reembedding.close();
      await gateway.end("SIGTERM");
      await stage.end("SIGTERM");
      await reembed.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What {@link startServiceProcesses} gives. */
export type ServiceProcesses = Awaited<ReturnType<typeof startServiceProcesses>>;
