import { createSilentLogger } from "@parfocal/runtime";
import { createMemoryStore } from "@parfocal/store";
import { describe, expect, it } from "vitest";
import { gatewayConfigFromEnv } from "./config.ts";
import { openWorkflowDriver } from "./workflow-driver.ts";

const open = (env: Readonly<Record<string, string>>) =>
  openWorkflowDriver(gatewayConfigFromEnv(env), createMemoryStore(), {}, createSilentLogger());

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

  it.each([
    [{ PARFOCAL_WORKFLOWS: "cron" }, "PARFOCAL_WORKFLOWS"],
    [{ PARFOCAL_TEMPORAL_ADDRESS: "http://temporal" }, "PARFOCAL_TEMPORAL_ADDRESS"],
    [{ PARFOCAL_TEMPORAL_ROLE: "leader" }, "PARFOCAL_TEMPORAL_ROLE"],
  ])("refuses the setting %j by name", (env, name) => {
    expect(() => gatewayConfigFromEnv(env)).toThrow(name);
  });
});
