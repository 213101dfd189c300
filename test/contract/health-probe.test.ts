import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commonSettings, createSilentLogger, parseEnv, startServer } from "@parfocal/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority } from "../lib/certificates.ts";
import type { ServiceEnv } from "../lib/services.ts";

const PROBE = new URL("../../deploy/health-probe.ts", import.meta.url).pathname;

/** A server without services of its own, and its health. */
function startPlain(env: ServiceEnv, isReady = true) {
  return startServer({ services: [], config: parseEnv(commonSettings(0), env), logger: createSilentLogger(), isReady });
}

/** Runs the probe as a container's health check would; gives its exit status and what it said. */
function probe(port: number, env: ServiceEnv = {}): Promise<{ status: number; said: string }> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, PORT: String(port), ...env } };
    const child = execFile(process.execPath, [PROBE], options, (_error, _stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, said: stderr.trim() });
    });
  });
}

describe("the images' health probe", () => {
  it("is content with a server that serves, and says when it does not", async () => {
    const server = await startPlain({});
    expect(await probe(server.port)).toEqual({ status: 0, said: "" });
    server.health.setServing("", false);
    expect(await probe(server.port)).toEqual({ status: 1, said: "unhealthy: not serving" });
    await server.stop({ drainMs: 0 });
    const gone = await probe(server.port);
    expect(gone.status).toBe(1);
    expect(gone.said).toContain("ECONNREFUSED");
  });

  it("does not wait for a port that takes connections and says nothing", async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { status, said } = await probe((silent.address() as AddressInfo).port);
    expect(status).toBe(1);
    expect(said).toContain("no answer within 4000 ms");
    silent.close();
  });

  describe("of a server that asks for certificates", () => {
    let folder: string;
    let tls: ServiceEnv;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "parfocal-probe-"));
      const authority = await createAuthority();
      const { cert, key } = await authority.issue({ dns: ["aggregate.hospital.example"] });
      const policy = 'grants: [{ to: ["mtls:nobody"], roles: [probe], projects: ["*"] }]';
      const files = { "ca.crt": authority.cert, "tls.crt": cert, "tls.key": key, "policy.yaml": policy };
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      tls = {
        PARFOCAL_TLS_CERT: join(folder, "tls.crt"),
        PARFOCAL_TLS_KEY: join(folder, "tls.key"),
        PARFOCAL_TLS_CLIENT_CA: join(folder, "ca.crt"),
        PARFOCAL_POLICY: join(folder, "policy.yaml"),
      };
    });
    afterAll(() => rm(folder, { recursive: true }));

    it("shows the server's own", async () => {
      const server = await startPlain({ ...tls, PARFOCAL_OPEN_PROBES: "true" });
      expect(await probe(server.port, tls)).toEqual({ status: 0, said: "" });
      expect((await probe(server.port)).status).toBe(1);
      await server.stop({ drainMs: 0 });
    });

    it("says that it may not ask where probes are not open", async () => {
      const server = await startPlain(tls);
      expect(await probe(server.port, tls)).toEqual({ status: 1, said: "unhealthy: gRPC status 7" });
      await server.stop({ drainMs: 0 });
    });
  });
});
