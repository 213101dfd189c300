import { isDomainError } from "@parfocal/errors";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import { describeGraph } from "../describe.ts";
import type { GraphPort } from "../graph.ts";
import { linear } from "../operations/linear.ts";
import { expectClose } from "../testing/expect-close.ts";
import { runGraph } from "../testing/run-graph.ts";
import { tf } from "../tf.ts";
import { type ConstantTensor, captureGraph } from "./capture.ts";

const matrix: GraphPort = { name: "x", dtype: "f32", shape: [2, 3] };
const capture = (build: (x: Tensor) => Record<string, Tensor>, inputs: readonly GraphPort[] = [matrix]) =>
  captureGraph({ name: "test", inputs, build: ({ x }) => build(x as Tensor) });

function expectError(
  work: () => unknown,
  code: "UNSUPPORTED_OPERATION" | "INVALID_ARGUMENT" | "PRECONDITION_FAILED" | "SHAPE_MISMATCH",
  message: string,
): void {
  const isExpected = (error: unknown): boolean => isDomainError(error, code) && error.message.includes(message);
  expect(work).toThrow(expect.toSatisfy(isExpected, `${code} ${message}`));
}

describe("captureGraph", () => {
  it("gives the same bytes and digest for the same function", () => {
    const [a, b] = [capture((x) => ({ y: tf.tanh(x) })), capture((x) => ({ y: tf.tanh(x) }))];
    expect(a).toEqual(b);
    expect(a.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(capture((x) => ({ y: tf.relu(x) })).digest).not.toBe(a.digest);
  });

  it("says the shapes and types of its outputs", () => {
    const inputs: GraphPort[] = [{ name: "x", dtype: "f32", shape: ["B", "N", 3] }];
    const graph = capture(
      (x) => ({
        flat: tf.reshape(x, [-1, 3]),
        best: tf.argMax(x, 1),
        big: tf.greater(x, 0),
        more: tf.concat([x, x.slice([0, 0], [-1, 1])], 1),
      }),
      inputs,
    );
    expect(graph.outputs).toEqual([
      { name: "flat", dtype: "f32", shape: ["B*N", 3] },
      { name: "best", dtype: "i32", shape: ["B", 3] },
      { name: "big", dtype: "bool", shape: ["B", "N", 3] },
      { name: "more", dtype: "f32", shape: ["B", "N+1", 3] },
    ]);
  });

  it("runs with two symbolic dimensions of any sizes", async () => {
    const inputs: GraphPort[] = [{ name: "x", dtype: "f32", shape: ["B", "N", 3] }];
    const graph = capture(
      (x) => ({
        y: tf.sum(tf.softmax(tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, 3])), 0),
        z: tf.reshape(tf.onesLike(x), [-1]),
      }),
      inputs,
    );
    for (const [b, n] of [
      [1, 1],
      [2, 5],
      [7, 3],
    ] as const) {
      // biome-ignore format: one line
      const { y, z } = await runGraph(graph, { x: { dtype: "f32", shape: [b, n, 3], data: new Float32Array(b * n * 3) } });
      expectClose(y as ConstantTensor, { dtype: "f32", shape: [3], data: new Float32Array(3).fill((b * n) / 3) }, 1e-6);
      expect(z?.shape).toEqual([b * n * 3]);
    }
  });

  it("widens 16-bit and 8-bit inputs at entry", async () => {
    const types = { half: "f16", word: "u16", byte: "u8", long: "i64", flag: "bool" } as const;
    const inputs = Object.entries(types).map(([name, dtype]): GraphPort => ({ name, dtype, shape: [2] }));
    const graph = captureGraph({
      name: "ports",
      inputs,
      build: ({ half, ...rest }) => ({
        halfs: tf.mul(half!, 2),
        ...Object.fromEntries(Object.entries(rest).map(([name, x]) => [`${name}s`, tf.add(tf.cast(x, "int32"), 1)])),
      }),
    });
    const outputs = await runGraph(graph, {
      half: { dtype: "f16", shape: [2], data: new Uint16Array([0x3c00, 0xc100]) },
      word: { dtype: "u16", shape: [2], data: new Uint16Array([0, 65_535]) },
      byte: { dtype: "u8", shape: [2], data: new Uint8Array([0, 255]) },
      long: { dtype: "i64", shape: [2], data: new BigInt64Array([-1n, 77n]) },
      flag: { dtype: "bool", shape: [2], data: new Uint8Array([0, 1]) },
    });
    const values = Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, [...data]]));
    expect(values).toEqual({ halfs: [2, -5], words: [1, 65_536], bytes: [1, 256], longs: [0, 78], flags: [1, 2] });
  });

  it("keeps weights under their names and gives inputs, constants and repeated results as outputs", async () => {
    const weight: ConstantTensor = { dtype: "f32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const build = ({ x, w }: Readonly<Record<string, Tensor>>) => {
      const y = linear(x!, w!);
      return { y, again: y, same: x!, weight: w! };
    };
    const graph = captureGraph({ name: "weights", inputs: [matrix], constants: { w: weight }, build });
    expect(describeGraph(graph).constants).toEqual([{ name: "w", shape: [2, 3], bytes: 24 }]);
    const x: ConstantTensor = { dtype: "f32", shape: [2, 3], data: Float32Array.of(1, 0, 0, 0, 1, 1) };
    const outputs = await runGraph(graph, { x });
    expect([...(outputs.y?.data ?? [])]).toEqual([1, 4, 5, 11]);
    expect(outputs.again).toEqual(outputs.y);
    expect([...(outputs.same?.data ?? [])]).toEqual([...x.data]);
    expect([...(outputs.weight?.data ?? [])]).toEqual([...weight.data]);
  });

  it("takes tensors that were computed before the capture as constants", async () => {
    const before = tf.tensor1d([1, 2, 3]);
    const graph = capture((x) => ({ y: tf.add(x, before) }));
    const { y } = await runGraph(graph, { x: { dtype: "f32", shape: [2, 3], data: new Float32Array(6) } });
    expect([...(y?.data ?? [])]).toEqual([1, 2, 3, 1, 2, 3]);
    expect([...before.dataSync()]).toEqual([1, 2, 3]);
    before.dispose();
  });
});

describe("captureGraph leaves tfjs as it was", () => {
  const memory = () => ({
    backend: tf.getBackend(),
    numTensors: tf.memory().numTensors,
    gradient: tf.getGradient("Sum"),
  });

  it("after success", () => {
    const before = memory();
    capture((x) => ({ y: tf.grad((t: Tensor) => tf.sum(tf.square(t)))(x) }));
    expect(memory()).toEqual(before);
    expect(before.backend).toBe("cpu");
  });

  it("after a failure in the forward pass of a gradient", () => {
    const before = memory();
    const fail = (t: Tensor): Tensor => {
      tf.square(t);
      throw new Error("from the model");
    };
    expect(() => capture((x) => ({ y: tf.grad(fail)(x) }))).toThrow("from the model");
    expect(memory()).toEqual(before);
  });

  it("after a failure in the backward pass", () => {
    const before = memory();
    expect(() => capture((x) => ({ y: tf.grad((t: Tensor) => tf.sum(tf.topk(tf.square(t), 1).values))(x) }))).toThrow(
      "TopK",
    );
    expect(memory()).toEqual(before);
  });
});

describe("captureGraph refuses", () => {
  it("an operation without an ONNX form, naming it", () => {
    expectError(
      () => capture((x) => ({ y: tf.bincount(tf.cast(x.flatten(), "int32") as never, tf.tensor1d([]), 3) })),
      "UNSUPPORTED_OPERATION",
      "Bincount has no ONNX form",
    );
  });

  it("an operation without a gradient, naming it", () => {
    expectError(
      () => capture((x) => ({ y: tf.grad((t: Tensor) => tf.sum(tf.topk(t, 1).values))(x) })),
      "UNSUPPORTED_OPERATION",
      "TopK has no gradient",
    );
  });

  it("to read values that only a run can know", () => {
    expectError(
      () => capture((x) => ({ y: tf.scalar(tf.sum(x).dataSync()[0] ?? 0) })),
      "UNSUPPORTED_OPERATION",
      "dataSync",
    );
  });

  it("a tensor of another capture", () => {
    let kept: Tensor2D | undefined;
    const keep = (x: Tensor) => {
      kept = tf.keep(tf.square(x)) as Tensor2D;
      return { y: kept };
    };
    capture(keep);
    expectError(() => capture((x) => ({ y: tf.add(x, kept as Tensor) })), "UNSUPPORTED_OPERATION", "another capture");
    kept?.dispose();
  });

  it("a capture inside a capture", () => {
    expectError(() => capture((x) => ({ y: capture(() => ({})) && x })), "PRECONDITION_FAILED", "inside another one");
  });

  it("names given twice, wrong constants and missing outputs", () => {
    expectError(() => capture((x) => ({ y: x }), [matrix, matrix]), "INVALID_ARGUMENT", `"x"`);
    expectError(() => capture((x) => ({ x: tf.neg(x) })), "INVALID_ARGUMENT", "the output x has the name of an input");
    expectError(() => capture(() => ({})), "INVALID_ARGUMENT", "no output");
    const constants: Record<string, ConstantTensor> = { w: { dtype: "f32", shape: [2, 2], data: new Float32Array(3) } };
    expectError(
      () => captureGraph({ name: "test", inputs: [], constants, build: ({ w }) => ({ w: w! }) }),
      "SHAPE_MISMATCH",
      "has 3 elements where its shape [2, 2] has 4",
    );
  });
});
