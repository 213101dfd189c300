import { describe, expect, it } from "vitest";
import { type CaptureOptions, type ConstantTensor, captureGraph } from "./capture/capture.ts";
import { runEagerly } from "./run-eagerly.ts";
import { inDoublePrecision } from "./testing/double-precision.ts";
import { expectClose } from "./testing/expect-close.ts";
import { differentiatedBy, drawFeeds, gradientOptions, lossOptions, type OpCase } from "./testing/op-case.ts";
import { elementwiseCases } from "./testing/op-cases-elementwise.ts";
import { operationCases } from "./testing/op-cases-operations.ts";
import { regionCases } from "./testing/op-cases-regions.ts";
import { structureCases } from "./testing/op-cases-structure.ts";
import { runGraph } from "./testing/run-graph.ts";

/** Gradients chain a few f32 operations, each good to a rounding of its largest element. */
const F32_TOLERANCE = 1e-5;
/**
 * Central differences in f64 with this step err by about step² · f''' ≈ 1e-8; what is left is the f32 of the captured
 * graph, and tfjs's erf, a polynomial good to 1.5e-7 whose slope is off by up to 2e-5.
 */
const STEP = 1e-4;
const DIFFERENCE_TOLERANCE = 3e-5;

function lossAt(options: CaptureOptions, feeds: Readonly<Record<string, ConstantTensor>>): number {
  return runEagerly(options, feeds).loss?.data[0] ?? Number.NaN;
}

/** f32 data as f64, when called in double precision. */
function widen(x: ConstantTensor): ConstantTensor {
  return x.dtype === "f32" ? { ...x, data: Float32Array.from(x.data) } : x;
}

/** Central differences of the loss by every element of one input, evaluated in f64. */
function differences(opCase: OpCase, feeds: Readonly<Record<string, ConstantTensor>>, name: string): ConstantTensor {
  const options = lossOptions(opCase);
  const input = feeds[name] as ConstantTensor;
  const slopes = inDoublePrecision(() => {
    const wide = Object.fromEntries(Object.entries(feeds).map(([key, x]) => [key, widen(x)]));
    return Array.from(input.data, (x, i) => {
      const at = (value: number) =>
        lossAt(options, { ...wide, [name]: { ...input, data: Float32Array.from(input.data).with(i, value) } });
      return (at(x + STEP) - at(x - STEP)) / (2 * STEP);
    });
  });
  return { dtype: "f32", shape: input.shape, data: Float32Array.from(slopes) };
}

async function expectTrueGradient(opCase: OpCase): Promise<void> {
  const options = gradientOptions(opCase);
  const feeds = drawFeeds(opCase.inputs);
  const captured = await runGraph(captureGraph(options), feeds);
  const eager = opCase.hasEagerGradient === false ? {} : runEagerly(options, feeds);
  for (const name of differentiatedBy(opCase)) {
    const gradient = captured[`d.${name}`];
    if (gradient === undefined) expect.unreachable(`there is a gradient by ${name}`);
    const reference = eager[`d.${name}`];
    if (reference !== undefined) expectClose(gradient, reference, F32_TOLERANCE);
    expectClose(gradient, differences(opCase, feeds, name), DIFFERENCE_TOLERANCE);
  }
}

const isDifferentiable = (opCase: OpCase): boolean => differentiatedBy(opCase).length > 0;

describe("a captured gradient is the eager gradient and the slope of the function", () => {
  it.each(elementwiseCases.filter(isDifferentiable))("$name", expectTrueGradient);
  it.each(structureCases.filter(isDifferentiable))("$name", expectTrueGradient);
  it.each(operationCases.filter(isDifferentiable))("$name", expectTrueGradient);
  it.each(regionCases.filter(isDifferentiable))("$name", expectTrueGradient);
});
