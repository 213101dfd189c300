import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSilentLogger } from "../telemetry/logger.ts";
import { createAuditLog } from "./audit-log.ts";

/** For a machine that others use. */
const PATIENCE = { timeout: 30_000 };

const RECORD = {
  time: "2026-01-01T00:00:00Z",
  service: "s",
  method: "m",
  host: "127.0.0.1",
  code: "OK",
  durationMs: 1,
};

describe("the audit log", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "parfocal-audit-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const linesOf = async (path: string) =>
    (await readFile(path, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as typeof RECORD & { project?: string });
  const open = (path: string, onFailure: "refuse" | "continue" = "refuse") =>
    createAuditLog({ path, onFailure, logger: createSilentLogger() });

  it("keeps every record in order, one line each", async () => {
    const path = join(folder, "audit.jsonl");
    const audit = open(path);
    for (let i = 0; i < 1000; i += 1) audit.record({ ...RECORD, project: String(i) });
    await audit.close();
    expect((await linesOf(path)).map(({ project }) => project)).toEqual(Array.from({ length: 1000 }, (_, i) => `${i}`));
  });

  it("goes on in a new file when the old one is moved away", async () => {
    const path = join(folder, "audit.jsonl");
    const audit = open(path);
    audit.record(RECORD);
    await vi.waitFor(() => linesOf(path), PATIENCE);
    await rename(path, `${path}.1`);
    audit.record(RECORD);
    await audit.close();
    expect([await linesOf(`${path}.1`), await linesOf(path)]).toEqual([[RECORD], [RECORD]]);
  });

  it("refuses calls while it cannot write, and loses none of the records that waited", async () => {
    const path = join(folder, "gone", "audit.jsonl");
    const audit = open(path);
    audit.assertWritable();
    audit.record(RECORD);
    await vi.waitFor(() => expect(() => audit.assertWritable()).toThrow("calls are refused"), PATIENCE);
    await mkdir(join(folder, "gone"));
    await vi.waitFor(() => audit.assertWritable(), PATIENCE);
    await audit.close();
    expect(await linesOf(path)).toEqual([RECORD]);
  });

  it("lets calls go on when it is told to", async () => {
    const audit = open(join(folder, "gone", "audit.jsonl"), "continue");
    audit.record(RECORD);
    await audit.close();
    audit.assertWritable();
  });
});
