import { z } from "zod";
import { type Setting, textSetting } from "./setting.ts";

/** Where spans go: settings of every service. */
export const telemetrySettings = {
  otlpEndpoint: textSetting({
    env: "PARFOCAL_OTLP_ENDPOINT",
    fallback: "",
    pattern: /^https?:\/\/\S{1,1000}$/,
    expected: "http(s)://host:port",
    reason: "OpenTelemetry collector that spans are sent to, OTLP over HTTP; unset: none are made.",
  }),
  traceRatio: {
    env: "PARFOCAL_TRACE_RATIO",
    schema: z
      .string()
      .regex(/^\d(?:\.\d{1,6})?$/, "expected a number")
      .transform(Number)
      .pipe(z.number().min(0).max(1)),
    fallback: { value: 1 },
    unit: "-",
    bounds: "0 to 1, at most six decimals",
    reason:
      "Share of the traces that begin here and are kept; those that begin elsewhere are kept as their sender says.",
  } satisfies Setting<number>,
};
