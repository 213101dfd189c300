import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import type { Http2Stream } from "node:http2";
import { inferenceV2 } from "@parfocal/protocol";
import { describe, expect, it } from "vitest";
import { createStageClient } from "../client/create-stage-client.ts";
import { startEchoServer } from "../testing/echo-server.ts";

/** Streams that closed, of both ends, while `work` ran. */
async function streamsClosedBy(work: () => Promise<unknown>): Promise<Http2Stream[]> {
  const streams: Http2Stream[] = [];
  const note = (message: unknown) => void streams.push((message as { stream: Http2Stream }).stream);
  const channels = ["http2.client.stream.close", "http2.server.stream.close"];
  for (const channel of channels) subscribe(channel, note);
  try {
    await work();
    await Promise.all(streams.filter(({ destroyed }) => !destroyed).map((stream) => once(stream, "close")));
  } finally {
    for (const channel of channels) unsubscribe(channel, note);
  }
  await new Promise(setImmediate);
  return streams;
}

describe("streams that have closed", () => {
  it("hold no listeners any more, at either end, whether calls ended well or were refused", async () => {
    const server = await startEchoServer();
    const client = createStageClient(inferenceV2.GRPCInferenceServiceDefinition, server.address);
    const streams = await streamsClosedBy(async () => {
      expect(await client.calls.modelReady({ name: "model" })).toEqual({ ready: true });
      await expect(client.calls.serverLive({})).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
      // Streams of the server close a moment after the answers.
      await server.stop();
    });
    client.close();
    expect(streams).toHaveLength(4);
    expect(streams.map((stream) => stream.eventNames())).toEqual([[], [], [], []]);
  });
});
