import { describe, expect, it } from "vitest";
import { assertFeeds, type FeedShape } from "./check-feeds.ts";
import { port } from "./testing/onnx-writer.ts";

const INPUTS = [port("features", "f32", ["N", 4]), port("coords", "i32", ["N", 2])];

function check(features: FeedShape | undefined, coords: FeedShape | undefined): () => void {
  return () =>
    assertFeeds(
      INPUTS,
      new Map([
        ["features", features],
        ["coords", coords],
      ]),
    );
}

describe("feeds", () => {
  const coords: FeedShape = { dtype: "i32", shape: [7, 2] };

  it("pass when symbolic dimensions agree", () => {
    expect(check({ dtype: "f32", shape: [7, 4] }, coords)).not.toThrow();
  });

  it("name both inputs when a symbolic dimension has two sizes", () => {
    expect(check({ dtype: "f32", shape: [5, 4] }, coords)).toThrow(
      'input "coords" is i32 [7, 2], the graph needs i32 [N, 2]: N is 5 by input "features" and 7 here',
    );
  });

  it("name the input with another dimension, rank or element type", () => {
    expect(check({ dtype: "f32", shape: [7, 3] }, coords)).toThrow(
      'input "features" is f32 [7, 3], the graph needs f32 [N, 4]',
    );
    expect(check({ dtype: "f32", shape: [28] }, coords)).toThrow("f32 [28]");
    expect(check({ dtype: "f16", shape: [7, 4] }, coords)).toThrow("f16 [7, 4]");
  });

  it("are not checked where the tensor is not known yet", () => {
    expect(check(undefined, coords)).not.toThrow();
  });

  it("must be all there and no more", () => {
    expect(() => assertFeeds(INPUTS, new Map([["features", undefined]]))).toThrow(
      'input "coords" of the graph is not fed',
    );
    const extra = new Map([
      ["features", undefined],
      ["coords", undefined],
      ["mask", undefined],
    ]);
    expect(() => assertFeeds(INPUTS, extra)).toThrow('"mask" is no input of the graph, which has features, coords');
  });
});
