import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { describeGatewayOperations } from "../lib/gateway-operations.ts";
import { startTemporalServer, type TemporalServer, whyNoTemporal } from "../lib/temporal-server.ts";

const reason = whyNoTemporal();

if (reason !== undefined)
  describe.skip(`operations through the gateway, Temporal: ${reason}`, () => it("runs", () => expect.fail(reason)));
else {
  let server: TemporalServer | undefined;
  afterAll(async () => {
    await server?.stop();
  });
  describeGatewayOperations("Temporal driver", async () => {
    server = await startTemporalServer();
    return {
      PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href,
      PARFOCAL_WORKFLOWS: "temporal",
      PARFOCAL_TEMPORAL_ADDRESS: server.address,
    };
  });
}
