import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../exit-codes.ts";
import { callerFromOptions } from "./caller.ts";
import { connectGateway } from "./connect.ts";

describe("how a gateway is called", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-caller-"));
    await writeFile(join(folder, "token"), "abc.def.ghi\n");
    await writeFile(join(folder, "not-a-token"), "two words");
  });
  afterAll(() => rm(folder, { recursive: true }));
  const tokenFile = (name: string) => ({ tokenFile: join(folder, name) });

  it("is in plain text as nobody unless told otherwise", () => {
    expect(callerFromOptions({}, {})).toEqual({});
    expect(callerFromOptions({ tls: true }, {})).toHaveProperty("credentials");
  });

  it("takes the token of the command line before that of the environment, anew for each call", async () => {
    const { bearerToken } = callerFromOptions(tokenFile("token"), { PARFOCAL_TOKEN_FILE: "elsewhere" });
    expect(bearerToken?.()).toBe("abc.def.ghi");
    await writeFile(join(folder, "token"), "new");
    expect(bearerToken?.()).toBe("new");
  });

  it.each([
    ["a file that is not there", "nothing", /cannot be read/],
    ["a file that holds none", "not-a-token", /does not hold a token/],
  ])("refuses %s", (_, name, message) => {
    const { bearerToken } = callerFromOptions(tokenFile(name), {});
    expect(() => bearerToken?.()).toThrow(UsageError);
    expect(() => bearerToken?.()).toThrow(message);
  });

  it("refuses a certificate without encryption and an authority that is none", () => {
    expect(() => callerFromOptions({ tlsCert: "a", tlsKey: "b" }, {})).toThrow(UsageError);
    expect(() => callerFromOptions({ tlsCa: join(folder, "token") }, {})).toThrow("--tls-ca names holds 0 whole");
    expect(() => callerFromOptions({ tls: true, tlsCert: "a" }, {})).toThrow(
      "--tls-cert and --tls-key belong together",
    );
  });

  it("sends no token to another machine in plain text", async () => {
    const caller = { bearerToken: () => "abc" };
    await expect(connectGateway({ gateway: "gateway.example:50050", env: {}, caller })).rejects.toThrow(
      "a token is not sent to another machine in plain text",
    );
  });
});
