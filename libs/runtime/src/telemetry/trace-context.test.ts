import { Metadata } from "nice-grpc-common";
import { describe, expect, it } from "vitest";
import { contextFromMetadata, injectContext, traceIdOf } from "./trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

function roundTrip(headers: Record<string, string>) {
  const out = Metadata();
  injectContext(contextFromMetadata(Metadata(headers)), out);
  return { traceparent: out.get("traceparent"), tracestate: out.get("tracestate") };
}

describe("trace context", () => {
  it("passes through as it came", () => {
    expect(roundTrip({ traceparent: PARENT, tracestate: "a=1,b=2" })).toEqual({
      traceparent: PARENT,
      tracestate: "a=1,b=2",
    });
    expect(traceIdOf(contextFromMetadata(Metadata({ traceparent: PARENT })))).toBe(TRACE);
  });

  it("reads later versions as version 00, as W3C demands", () => {
    expect(roundTrip({ traceparent: `cc-${TRACE}-00f067aa0ba902b7-01-what-comes` }).traceparent).toBe(PARENT);
  });

  it.each([
    "",
    "00",
    PARENT.toUpperCase(),
    `${PARENT}-more`,
    `ff-${TRACE}-00f067aa0ba902b7-01`,
    `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
  ])("ignores the malformed parent %j", (traceparent) => {
    expect(roundTrip({ traceparent }).traceparent).toBeUndefined();
  });

  it("drops a state that is too long, keeping the trace", () => {
    expect(roundTrip({ traceparent: PARENT, tracestate: `a=${"x".repeat(600)}` })).toEqual({
      traceparent: PARENT,
      tracestate: undefined,
    });
  });
});
