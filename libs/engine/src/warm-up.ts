import { createHash } from "node:crypto";
import type { CapturedGraph } from "@parfocal/tensor";
import type { Engine, EngineCallOptions, HostTensor } from "./engine-port.ts";

/** An ONNX model of opset 20 that gives its input back: `y = Identity(x)`, both f32 `[1]`. */
const MODEL = Buffer.from(
  "CAk6OgoQCgF4EgF5IghJZGVudGl0eRIEdGVzdFoPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBQ=",
  "base64",
);

const GRAPH: CapturedGraph = {
  digest: createHash("sha256").update(MODEL).digest("hex"),
  model: MODEL,
  inputs: [{ name: "x", dtype: "f32", shape: [1] }],
  outputs: [{ name: "y", dtype: "f32", shape: [1] }],
};

/**
 * Has the engine run a graph of one node: whoever waits for it knows that the process is there, its runtime loaded and
 * its device at work.
 *
 * @throws {DomainError} what the engine's run throws.
 */
export async function warmUp(engine: Pick<Engine, "run">, options: EngineCallOptions = {}): Promise<void> {
  const tensor: HostTensor = { dtype: "f32", shape: [1], data: new Uint8Array(Float32Array.of(1).buffer) };
  const feeds = { x: { kind: "inline", tensor } } as const;
  await engine.run([{ graph: GRAPH, feeds, fetches: { y: { kind: "inline" } } }], options);
}
