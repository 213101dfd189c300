import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSilentLogger } from "@parfocal/runtime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { gatewayConfigFromEnv, startGateway } from "./server.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parfocal-gateway-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function start(settings: Readonly<Record<string, string>>) {
  const env = { PORT: "0", PARFOCAL_STORE: `file://${folder}/store`, PARFOCAL_REQUIRED_STAGES: "none", ...settings };
  return startGateway(gatewayConfigFromEnv(env), createSilentLogger(), env);
}

async function takePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { readonly port: number };
  return { port: String(address.port), release: () => new Promise((resolve) => server.close(resolve)) };
}

it.each([
  ["its port is taken", { PORT: "taken" }, "UNREACHABLE"],
  ["the port of its metrics is taken", { PARFOCAL_METRICS_PORT: "taken" }, "UNREACHABLE"],
  ["its certificate is not there", { PARFOCAL_TLS_CERT: "/none", PARFOCAL_TLS_KEY: "/none" }, "INVALID_ARGUMENT"],
])("leaves its store to the next one when %s", async (_, settings, code) => {
  const { port, release } = await takePort();
  const values = Object.entries(settings).map(([name, value]) => [name, value === "taken" ? port : value]);
  await expect(start(Object.fromEntries(values) as Record<string, string>)).rejects.toMatchObject({ code });
  await release();
  const next = await start({});
  await next.close();
});
