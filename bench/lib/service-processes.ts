import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aggregateV1, reembedV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { createClients, startServiceProcess } from "../../test/lib/services.ts";

/**
 * Gateway, aggregate and reembed as they are deployed, each in a process of its own, on a file store in a new folder. The gateway's
 * own Node options are those of its image.
 */
export async function startServiceProcesses(settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const env = { PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href, ...settings };
  const stage = await startServiceProcess("aggregate", env);
  const reembed = await startServiceProcess("reembed", env);
  const gateway = await startServiceProcess("gateway", {
    ...env,
    PARFOCAL_AGGREGATE_ADDRESS: stage.address,
    PARFOCAL_REEMBED_ADDRESS: reembed.address,
    NODE_OPTIONS: await nodeOptionsOfImage("gateway"),
  });
  const clients = createClients(gateway.address);
  const direct = createStageClient(aggregateV1.AggregateServiceDefinition, stage.address);
  const reembedding = createStageClient(reembedV1.ReembedServiceDefinition, reembed.address);
  return {
    storeUri: env.PARFOCAL_STORE,
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

/** The options that the Dockerfile starts a service's Node with. @throws When the file has no such entry. */
async function nodeOptionsOfImage(service: string): Promise<string> {
  const file = await readFile(new URL("../../deploy/Dockerfile", import.meta.url), "utf8");
  const entry = new RegExp(`^ENTRYPOINT \\["node", (.*)"services/${service}/`, "m").exec(file);
  if (entry === null) throw new Error(`deploy/Dockerfile starts no service ${service}`);
  return [...(entry[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, option]) => option).join(" ");
}

/** What {@link startServiceProcesses} gives. */
export type ServiceProcesses = Awaited<ReturnType<typeof startServiceProcesses>>;
