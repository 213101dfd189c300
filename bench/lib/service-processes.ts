import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aggregateV1 } from "@parfocal/protocol";
import { createStageClient } from "@parfocal/runtime";
import { createClients, startServiceProcess } from "../../test/lib/services.ts";

/** Gateway and aggregate as they are deployed, each in a process of its own, on a file store in a new folder. */
export async function startServiceProcesses(settings: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "parfocal-bench-"));
  const env = { PARFOCAL_STORE: pathToFileURL(join(folder, "store")).href, ...settings };
  const stage = await startServiceProcess("aggregate", env);
  const gateway = await startServiceProcess("gateway", { ...env, PARFOCAL_AGGREGATE_ADDRESS: stage.address });
  const clients = createClients(gateway.address);
  const direct = createStageClient(aggregateV1.AggregateServiceDefinition, stage.address);
  return {
    clients,
    /** The stage itself, without the gateway before it. */
    aggregate: direct.calls,
    gatewayPid: gateway.process.pid,
    aggregatePid: stage.process.pid,
    async close() {
      clients.channel.close();
      direct.close();
      await gateway.end("SIGTERM");
      await stage.end("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What {@link startServiceProcesses} gives. */
export type ServiceProcesses = Awaited<ReturnType<typeof startServiceProcesses>>;
