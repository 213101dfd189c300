import { describe, expect, it } from "vitest";
import { captureGraph } from "./capture/capture.ts";
import { loadEagerBackend } from "./eager-backend.ts";
import { runTwin } from "./eager-twin.ts";
import { tf } from "./tf.ts";

const hasNative = await import("@tensorflow/tfjs-node-gpu" as string).then(
  () => true,
  () => false,
);
if (hasNative) console.warn("the refusal without tfjs-node-gpu is not tested: it is installed");

describe("an eager backend", () => {
  it("is tfjs's own without any package", async () => {
    expect(await loadEagerBackend("tfjs-cpu")).toBe("cpu");
  });

  it.skipIf(hasNative)("says which package to install when it has none", async () => {
    await expect(loadEagerBackend("tfjs-node-gpu")).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
      message: expect.stringMatching(/deploy\/tfjs\/build\.sh .*@tensorflow\/tfjs-node-gpu@4\.22\.0/) as string,
    });
    expect(tf.getBackend()).not.toBe("onnx-capture");
  });
});

describe("the twin of a graph", () => {
  const graph = captureGraph({
    name: "twice",
    inputs: [{ name: "x", dtype: "f32", shape: ["N"] }],
    constants: { two: { dtype: "f32", shape: [1], data: Float32Array.of(2) } },
    build: ({ x, two }) => ({ y: tf.mul(x!, two!), same: x! }),
  });

  it("computes what the graph computes, and leaves nothing but its outputs", () => {
    const x = tf.tensor1d([1, 2, 3]);
    const before = tf.memory().numTensors;
    const { y, same } = runTwin(graph, "cpu", { x }) ?? {};
    expect([...y!.dataSync()]).toEqual([2, 4, 6]);
    same!.dispose();
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
    expect(tf.memory().numTensors).toBe(before + 1);
    tf.dispose([x, y!]);
  });

  it("is not there for a graph of another process", () => {
    expect(runTwin({ ...graph }, "cpu", {})).toBeUndefined();
  });
});
