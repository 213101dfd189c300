import { createServer as createTcpServer } from "node:net";
import { DomainError } from "@parfocal/errors";
import { gatewayV1, inferenceV2 } from "@parfocal/protocol";
import { afterEach, describe, expect, it } from "vitest";
import { startEchoServer } from "../testing/echo-server.ts";
import { createReplicaClient } from "./create-replica-client.ts";

const definition = inferenceV2.GRPCInferenceServiceDefinition;
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Servers that count their calls, and run `behaviour` in each. */
async function serve(nServers: number, behaviour: (index: number) => Promise<void> | void = () => undefined) {
  const counts = new Array<number>(nServers).fill(0);
  const addresses: string[] = [];
  for (let index = 0; index < nServers; index++) {
    const server = await startEchoServer({
      behaviour: () => {
        counts[index]! += 1;
        return behaviour(index);
      },
    });
    cleanups.push(() => server.stop({ drainMs: 0 }));
    addresses.push(server.address);
  }
  return { addresses: addresses.join(","), counts };
}

function clientOf(addresses: string, idempotentMethods: readonly string[] = ["ModelReady"]) {
  const client = createReplicaClient(definition, addresses, { idempotentMethods });
  cleanups.push(() => client.close());
  return client;
}

describe("a replica client", () => {
  it("spreads calls that run at the same time over its replicas", async () => {
    const { addresses, counts } = await serve(3);
    const { calls, nReplicas } = clientOf(addresses);
    expect(nReplicas).toBe(3);
    await Promise.all(Array.from({ length: 9 }, () => calls.modelReady({ name: "m" })));
    expect(counts).toEqual([3, 3, 3]);
  });

  it("leaves a replica that is busy to itself", async () => {
    const release = Promise.withResolvers<void>();
    let isFirst = true;
    const { addresses, counts } = await serve(2, async () => {
      if (!isFirst) return;
      isFirst = false;
      await release.promise;
    });
    const { calls } = clientOf(addresses);
    const slow = calls.modelReady({ name: "m" });
    await expect.poll(() => counts[0]).toBe(1);
    for (let i = 0; i < 4; i++) await calls.modelReady({ name: "m" });
    expect(counts).toEqual([1, 4]);
    release.resolve();
    await slow;
  });

  it("tries an idempotent call at another replica when one is gone, and no other call", async () => {
    const { addresses, counts } = await serve(1);
    const gone = `127.0.0.1:${await freePort()}`;
    const { calls } = clientOf(`${gone},${addresses}`);
    expect(await calls.modelReady({ name: "m" })).toEqual({ ready: true });
    const careful = clientOf(`${gone},${addresses}`, []);
    await expect(careful.calls.modelReady({ name: "m" })).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(counts).toEqual([1]);
  });

  it("fails when no replica is there, with what the last one said", async () => {
    const gone = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`].join(",");
    await expect(clientOf(gone).calls.modelReady({ name: "m" })).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  it("passes on errors that are answers", async () => {
    const { addresses, counts } = await serve(2, () => {
      throw new DomainError("NOT_FOUND", "no such model");
    });
    await expect(clientOf(addresses).calls.modelReady({ name: "m" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(counts).toEqual([1, 0]);
  });

  it("streams from one replica to the end", async () => {
    const { addresses } = await serve(2);
    const client = createReplicaClient(gatewayV1.OperationServiceDefinition, addresses);
    cleanups.push(() => client.close());
    const names: string[] = [];
    for await (const { operation } of client.calls.watchOperation({ name: "o", afterSequence: 3n })) {
      names.push(operation?.name ?? "");
    }
    expect(names).toEqual(["o/0", "o/1", "o/2"]);
  });
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
