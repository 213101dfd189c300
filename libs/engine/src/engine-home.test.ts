import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { createEngine } from "./create-engine.ts";
import { warmUp } from "./warm-up.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

it("leaves nothing of what it ran in the home folder or beside the temporary files, as the runtime's telemetry would", async () => {
  const home = await mkdtemp(join(tmpdir(), "parfocal-home-"));
  vi.stubEnv("ORT_DISABLE_TELEMETRY", undefined);
  vi.stubEnv("HOME", home);
  vi.stubEnv("XDG_CACHE_HOME", "");
  vi.stubEnv("TMPDIR", home);
  const engine = createEngine({ device: "cpu", intraOpThreads: 1 });
  await warmUp(engine);
  const during = await readdir(home, { recursive: true });
  await engine.close();
  expect(
    [...during, ...(await readdir(home, { recursive: true }))].filter((name) => !name.startsWith("parfocal-")),
  ).toEqual([]);
  await rm(home, { recursive: true });
});
