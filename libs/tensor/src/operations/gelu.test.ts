import { describe, expect, it } from "vitest";
import { captureGraph } from "../capture/capture.ts";
import { runEagerly } from "../run-eagerly.ts";
import { inDoublePrecision } from "../testing/double-precision.ts";
import { runGraph } from "../testing/run-graph.ts";
import { gelu } from "./gelu.ts";

const X = [-2, -0.5, 0.5, 1, 3];
/** Check F8. */
const BY_TANH = [-0.04540231, -0.15428599, 0.34571401, 0.84119199, 2.99636261];

const OPTIONS = {
  name: "gelu",
  inputs: [{ name: "x", dtype: "f32" as const, shape: [X.length] }],
  build: ({ x }: Parameters<Parameters<typeof captureGraph>[0]["build"]>[0]) => ({ y: gelu(x!, { form: "tanh" }) }),
};
const feeds = () => ({ x: { dtype: "f32" as const, shape: [X.length], data: Float32Array.from(X) } });

describe("gelu by tanh gives the numbers of F8", () => {
  it("in f64", () => {
    const y = inDoublePrecision(() => Array.from(runEagerly(OPTIONS, feeds()).y?.data ?? []));
    expect(y).toHaveLength(X.length);
    for (const [i, value] of BY_TANH.entries()) expect(Math.abs((y[i] ?? Number.NaN) - value)).toBeLessThan(1e-8);
  });

  it("captured, in f32", async () => {
    const { y } = await runGraph(captureGraph(OPTIONS), feeds());
    for (const [i, value] of BY_TANH.entries()) expect(y?.data[i]).toBeCloseTo(value, 6);
  });
});
