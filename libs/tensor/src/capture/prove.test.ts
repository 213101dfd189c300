import { isDomainError } from "@parfocal/errors";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs";
import { describe, expect, it } from "vitest";
import type { GraphPort } from "../graph.ts";
import { maxOverTiles, meanOverTiles } from "../operations/pooling.ts";
import { tf } from "../tf.ts";
import { captureGraph } from "./capture.ts";

const rows = (x: Tensor): number => x.shape[0] ?? 0;

function captureOverTiles(f: (x: Tensor2D) => Tensor): () => void {
  return () =>
    void captureGraph({
      name: "test",
      inputs: [{ name: "x", dtype: "f32", shape: ["N", 4] }],
      build: ({ x }) => ({ y: f(x as Tensor2D) }),
    });
}

function expectRefusal(f: (x: Tensor2D) => Tensor, message: RegExp): void {
  const isRefusal = (error: unknown): boolean =>
    isDomainError(error, "UNSUPPORTED_OPERATION") && message.test(error.message);
  expect(captureOverTiles(f)).toThrow(expect.toSatisfy(isRefusal, `UNSUPPORTED_OPERATION ${message}`));
}

describe("a capture is refused when its graph would hold for one number of tiles only", () => {
  it("because the number is a constant in it", () => {
    expectRefusal(
      (x) => tf.div(x, rows(x)),
      /^RealDiv: .*constant of 1 elements, first 10007, follows from a symbolic dimension \(15006/,
    );
  });

  it("because a constant depends on the number in some other way", () => {
    expectRefusal((x) => tf.mul(x, 1 / Math.sqrt(rows(x))), /^Multiply: .*constant of 1 elements/);
    expectRefusal((x) => tf.mul(x, rows(x) % 2), /constant of 1 elements/);
  });

  it("because a table was computed for the number", () => {
    expectRefusal(
      (x) =>
        tf.mul(
          x,
          tf.tensor(
            Array.from({ length: rows(x) }, (_, i) => Math.sin(i)),
            [rows(x), 1],
          ),
        ),
      /constant of 10007 elements/,
    );
  });

  it("because the side of a square follows from it", () => {
    expectRefusal((x) => {
      const side = Math.ceil(Math.sqrt(rows(x)));
      return tf.pad(x, [[0, side * side - rows(x)], [0, 0]]); // biome-ignore format: one line
    }, /^PadV2: .* a dimension is 10201 where N = 10007 and 15129 where N = 15006/);
  });

  it("because it was padded to a multiple", () => {
    expectRefusal((x) => tf.pad(x, [[0, (8 - (rows(x) % 8)) % 8], [0, 0]]), /^PadV2: /); // biome-ignore format: one line
  });

  it("because a branch was taken on it", () => {
    expectRefusal(
      (x) => (rows(x) % 2 === 0 ? tf.relu(x) : tf.tanh(x)),
      /^(Tanh|Relu): .* another capture has (Relu|Tanh)/,
    );
    expectRefusal(
      (x) => (rows(x) % 2 === 0 ? tf.relu(x) : tf.relu(tf.tanh(x))),
      /it takes 2 parts in one capture and 1 in another/,
    );
  });

  it("because the outputs depend on it", () => {
    const build = ({ x }: Readonly<Record<string, Tensor>>) =>
      rows(x!) % 2 === 0 ? { a: tf.neg(x!) } : { b: tf.neg(x!) };
    const port: GraphPort = { name: "x", dtype: "f32", shape: ["N", 4] };
    expect(() => captureGraph({ name: "test", inputs: [port], build })).toThrow("output b: ");
  });

  it("because an attribute depends on it", () => {
    expectRefusal((x) => tf.leakyRelu(x, rows(x) / 1e6), /^LeakyRelu: .*attributes/);
  });
});

describe("a capture is accepted when every number follows from the symbols", () => {
  it("in shapes, pads, slices and counters", () => {
    expect(captureOverTiles((x) => tf.slice(tf.pad(x, [[1, 2], [0, 0]]), [1, 0], [rows(x), 4]))).not.toThrow(); // biome-ignore format: one line
    expect(captureOverTiles((x) => tf.mul(x, tf.reshape(tf.range(0, rows(x)), [rows(x), 1])))).not.toThrow();
  });

  it("in gradients of means and maxima", () => {
    expect(captureOverTiles(tf.grad((x) => tf.sum(meanOverTiles(x))) as (x: Tensor) => Tensor)).not.toThrow();
    expect(captureOverTiles(tf.grad((x) => tf.sum(maxOverTiles(x))) as (x: Tensor) => Tensor)).not.toThrow();
  });

  it("in tensors of one repeated value", () => {
    expect(captureOverTiles((x) => tf.concat([x, tf.ones([rows(x), 2])], 1))).not.toThrow();
  });
});
