import { describe, expect, it } from "vitest";
import { createLogger, createSilentLogger, type LogFields, type LogLevel } from "./logger.ts";

function logOf(level?: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  return { lines, logger: createLogger({ service: "aggregate", destination, ...(level && { level }) }) };
}

describe("the logger", () => {
  it("writes one JSON object per event with service, level, time and fields", () => {
    const { lines, logger } = logOf();
    logger.info("listening", { port: 7001 });
    expect(lines).toEqual([
      {
        level: "info",
        time: expect.stringMatching(/^\d{4}-.*Z$/) as unknown,
        service: "aggregate",
        port: 7001,
        event: "listening",
      },
    ]);
  });

  it("drops fields that are not on the list", () => {
    const { lines, logger } = logOf();
    logger
      .with({ slideId: "S-1", requestId: "r" } as LogFields)
      .info("event", { patient: "P-1", body: {} } as LogFields);
    expect(Object.keys(lines[0]!).sort()).toEqual(["event", "level", "requestId", "service", "time"]);
  });

  it("leaves out the path that a cause of the system names", () => {
    const { lines, logger } = logOf();
    const cause = Object.assign(new Error("ELOOP: too many links, open '/data/P-1.csv'"), {
      ...{ code: "ELOOP", syscall: "open", path: "/data/P-1.csv" },
    });
    logger.error("failed", { error: new Error("the store did not answer", { cause }) });
    expect(lines[0]!.error).toMatchObject({ cause: "Error: ELOOP (open)" });
    expect(JSON.stringify(lines[0])).not.toContain("P-1");
  });

  it("writes name, message, stack and cause of an error, bounded", () => {
    const { lines, logger } = logOf();
    logger.error("failed", { error: new TypeError("bad", { cause: new Error("under") }) });
    expect(lines[0]!.error).toMatchObject({ name: "TypeError", message: "bad", cause: "Error: under" });
    logger.error("failed", { error: "x".repeat(50_000) });
    expect(JSON.stringify(lines[1]).length).toBeLessThan(5000);
  });

  it("writes nothing below its level", () => {
    const { lines, logger } = logOf("warn");
    logger.info("quiet");
    logger.debug("quiet");
    logger.warn("loud");
    expect(lines.map((line) => line.event)).toEqual(["loud"]);
  });

  it("can be silent", () => {
    const silent = createSilentLogger();
    expect(silent.with({ requestId: "r" })).toBe(silent);
    expect(() => silent.error("nothing")).not.toThrow();
  });
});
