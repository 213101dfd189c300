import { describe, expect, it } from "vitest";
import { captureGraph } from "./capture/capture.ts";
import { runEagerly } from "./run-eagerly.ts";
import { expectClose } from "./testing/expect-close.ts";
import { drawFeeds, type OpCase, valueOptions } from "./testing/op-case.ts";
import { elementwiseCases } from "./testing/op-cases-elementwise.ts";
import { operationCases } from "./testing/op-cases-operations.ts";
import { regionCases } from "./testing/op-cases-regions.ts";
import { structureCases } from "./testing/op-cases-structure.ts";
import { runGraph } from "./testing/run-graph.ts";

/** Two f32 implementations of a sum of a dozen products differ by a few roundings (6e-8 each) of the largest element. */
const F32_TOLERANCE = 2e-6;

async function expectSameValue(opCase: OpCase): Promise<void> {
  const options = valueOptions(opCase);
  const feeds = drawFeeds(opCase.inputs);
  const { y: captured } = await runGraph(captureGraph(options), feeds);
  const { y: eager } = runEagerly(options, feeds);
  if (captured === undefined || eager === undefined) expect.unreachable("both runs give y");
  else expectClose(captured, eager, F32_TOLERANCE);
}

describe("a captured graph gives what tfjs computes eagerly", () => {
  it.each(elementwiseCases)("$name", expectSameValue);
  it.each(structureCases)("$name", expectSameValue);
  it.each(operationCases)("$name", expectSameValue);
  it.each(regionCases)("$name", expectSameValue);
});
