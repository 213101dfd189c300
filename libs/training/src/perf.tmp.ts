import { collect, openWorld, writeCohort } from "./testing/world.ts";
import { train } from "./train.ts";
import { parseTrainSpec } from "./train-spec.ts";

const dropout = Number(process.argv[2] ?? 0),
  opt = process.argv[3] ?? "sgd",
  epochs = Number(process.argv[4] ?? 20);
const world = await openWorld();
const bags = (await writeCohort(world.store, { nBags: 180, d: 230, seed: 1n })).map((b) => ({
  ...b,
  part: "train" as const,
}));
const spec = parseTrainSpec({
  model: {
    standardise: true,
    head: { kind: "abmil", hidden: [256, 128, 64], dropout, attentionWidth: 64, attentionDropout: 0 },
    task: { kind: "binary", classes: ["a", "b"], link: "sigmoid" },
  },
  epochs,
  optimiser: { kind: opt, learningRate: 1e-4, weightDecay: 5e-3 },
});
const orig = world.engine.run.bind(world.engine);
let engineMs = 0,
  runs = 0;
const engine = {
  ...world.engine,
  device: "cpu",
  run: async (r: never, o: never) => {
    const out = await orig(r, o);
    for (const x of out) {
      engineMs += x.engineMs;
      runs++;
    }
    return out;
  },
};
const t0 = performance.now();
const { events, trained } = await collect(
  train({ spec, bags }, { ...world.deps(), engine } as never, new AbortController().signal),
);
const ms = performance.now() - t0;
console.log(
  {
    dropout,
    opt,
    runs,
    totalMs: ms.toFixed(0),
    perRunMs: (ms / runs).toFixed(3),
    engineMsPerRun: (engineMs / runs).toFixed(3),
  },
  trained.history.at(-1)?.trainLoss,
  events.length,
);
await world.close();
