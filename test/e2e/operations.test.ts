import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describeGatewayOperations } from "../lib/gateway-operations.ts";

describeGatewayOperations("embedded driver", async () => ({
  PARFOCAL_STORE: pathToFileURL(await mkdtemp(join(tmpdir(), "parfocal-e2e-"))).href,
}));
