import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSilentLogger } from "@parfocal/runtime";
import { createMemoryStore, type ObjectStore } from "@parfocal/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAuthority } from "../../../test/lib/certificates.ts";
import { gatewayConfigFromEnv } from "./config.ts";
import { openWorkflowDriver } from "./workflow-driver.ts";

const open = (env: Readonly<Record<string, string>>, store = createMemoryStore()) =>
  openWorkflowDriver(gatewayConfigFromEnv(env), store, {}, createSilentLogger());

describe("the workflow driver of the settings", () => {
  it("is the embedded one when nothing is said", async () => {
    const driver = await open({});
    expect(await driver.list("p", { pageSize: 1 })).toEqual({ operations: [] });
    await driver.close();
  });

  it.each([
    [
      { PARFOCAL_TEMPORAL_TLS_CERT: "/tmp/x.pem" },
      "PARFOCAL_TEMPORAL_TLS_CERT and PARFOCAL_TEMPORAL_TLS_KEY go together",
    ],
    [
      { PARFOCAL_TEMPORAL_TLS_CA: "/nowhere/ca.pem" },
      "the file /nowhere/ca.pem of the Temporal TLS settings cannot be read",
    ],
  ])("refuses %j", async (env, message) => {
    const opening = open({ PARFOCAL_WORKFLOWS: "temporal", ...env });
    await expect(opening).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
  });

  describe("refuses files of the Temporal TLS settings, by name,", () => {
    let folder: string;
    const fileOf = (name: string): string => join(folder, name);
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "parfocal-temporal-tls-"));
      const authority = await createAuthority();
      const [client, other] = [await authority.issue({}), await authority.issue({})];
      const contents = {
        "garbage.pem": "not a certificate",
        "cut.pem": client.cert.slice(0, 200),
        "client.pem": client.cert,
        "client.key": client.key,
        "other.key": other.key,
      };
      for (const [name, text] of Object.entries(contents)) await writeFile(fileOf(name), text);
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it.each([
      ["a CA without PEM", { ca: "garbage.pem" }, "garbage.pem", "certificate"],
      ["a certificate that was cut", { cert: "cut.pem", key: "client.key" }, "cut.pem", "certificate"],
      ["a key that is none", { cert: "client.pem", key: "garbage.pem" }, "garbage.pem", "key without a passphrase"],
    ])("%s", async (_, names, broken, content) => {
      const message = `the file ${fileOf(broken)} of the Temporal TLS settings holds no PEM ${content}`;
      await expect(openWith(names)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    });

    it("a key of another certificate", async () => {
      const message = `the key in ${fileOf("other.key")} is not that of the certificate in ${fileOf("client.pem")}`;
      const opening = openWith({ cert: "client.pem", key: "other.key" });
      await expect(opening).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message });
    });

    it("and no pair that belongs together: what it meets then is the store of another", async () => {
      const store = createMemoryStore();
      const owner = await open({}, store);
      const opening = openWith({ ca: "client.pem", cert: "client.pem", key: "client.key" }, store);
      await expect(opening).rejects.toMatchObject({ code: "CONFLICT" });
      await owner.close();
    });

    function openWith(names: Readonly<Record<string, string>>, store?: ObjectStore) {
      const files = Object.entries(names).map(([what, name]) => [
        `PARFOCAL_TEMPORAL_TLS_${what.toUpperCase()}`,
        fileOf(name),
      ]);
      return open({ PARFOCAL_WORKFLOWS: "temporal", ...Object.fromEntries(files) }, store);
    }
  });

  it.each([
    [{ PARFOCAL_WORKFLOWS: "cron" }, "PARFOCAL_WORKFLOWS"],
    [{ PARFOCAL_TEMPORAL_ADDRESS: "http://temporal" }, "PARFOCAL_TEMPORAL_ADDRESS"],
    [{ PARFOCAL_TEMPORAL_ROLE: "leader" }, "PARFOCAL_TEMPORAL_ROLE"],
  ])("refuses the setting %j by name", (env, name) => {
    expect(() => gatewayConfigFromEnv(env)).toThrow(name);
  });
});
