import { afterAll, expect, it } from "vitest";
import { createEngine } from "./create-engine.ts";
import { warmUp } from "./warm-up.ts";

const engine = createEngine({ device: "cpu", intraOpThreads: 1 });
afterAll(() => engine.close());

it("runs a graph of one node on the engine, and keeps its session", async () => {
  await warmUp(engine);
  await warmUp(engine);
  expect(engine.stats()).toMatchObject({ runs: 2, sessionsCreated: 1 });
});
