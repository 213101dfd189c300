/**
 * @file Time from a model's description to the first run: capture, and the session's creation with the first answer.
 *
 *     node bench/capture/run.ts [--rounds 7]
 *
 * The engine process is up before; every round captures anew and makes a new session. The smallest bag is run, so that the
 * answer itself costs nothing beside them.
 */
import { parseArgs } from "node:util";
import { createEngine, type Engine, type HostTensor, type RunRequest, type TensorSource } from "@parfocal/engine";
import { createRng } from "@parfocal/metrics";
import { captureAggregate, initialiseParameters, type Model } from "@parfocal/models";
import { type CapturedGraph, captureGraph } from "@parfocal/tensor";
import { createOptimiser, trainStepBuild } from "@parfocal/training";
import { gatedAttention } from "../lib/gated-attention.ts";
import { describeMachine } from "../lib/machine.ts";
import { OPTIMISER } from "../lib/own-side.ts";
import { median } from "../lib/statistics.ts";

const D = 1024;
const TARGET_MS = 500;

const ELEMENT_BYTES = { f32: 4, f16: 2, i32: 4, i64: 8, u8: 1, u16: 2, bool: 1 } as const;

/** A run on zeros, one tile. */
function zeroRun(graph: CapturedGraph): RunRequest {
  const feeds = graph.inputs.map(({ name, dtype, shape: dims }): [string, TensorSource] => {
    const shape = dims.map((dim) => (typeof dim === "number" ? dim : 1));
    const size = shape.reduce((product, dim) => product * dim, 1);
    const tensor: HostTensor = { dtype, shape, data: new Uint8Array(size * ELEMENT_BYTES[dtype]) };
    return [name, { kind: "inline", tensor }];
  });
  const [output] = graph.outputs;
  return { graph, feeds: Object.fromEntries(feeds), fetches: { [output?.name ?? ""]: { kind: "inline" } } };
}

async function measure(what: string, nRounds: number, capture: () => CapturedGraph): Promise<void> {
  const captureMs: number[] = [];
  const sessionMs: number[] = [];
  for (let round = 0; round < nRounds; round++) {
    // A new process each time: sessions are kept by digest, and the same graph has the same one.
    const engine: Engine = createEngine();
    await engine.ready();
    const startMs = performance.now();
    const graph = capture();
    const capturedMs = performance.now();
    await engine.run([zeroRun(graph)]);
    captureMs.push(capturedMs - startMs);
    sessionMs.push(performance.now() - capturedMs);
    await engine.close();
  }
  const sums = captureMs.map((ms, i) => ms + (sessionMs[i] ?? 0));
  const first = `the first capture of a process ${captureMs[0]?.toFixed(0)} ms`;
  const verdict = Math.max(...sums) < TARGET_MS ? "met" : "missed";
  console.log(
    `  ${what.padEnd(14)} capture ${median(captureMs).toFixed(0)} ms (${first}), session and first run ` +
      `${median(sessionMs).toFixed(0)} ms, together at most ${Math.max(...sums).toFixed(0)} ms: target ${TARGET_MS} ms ${verdict}`,
  );
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });
console.log(`Gated attention model, D ${D}, ${describeMachine()}`);
const model: Model = gatedAttention({ d: D, dropout: 0.25 });
const weights = initialiseParameters(model.parameters, createRng(1n));
const nRounds = Number(values.rounds);
await measure("training step", nRounds, () => captureGraph(trainStepBuild(model, createOptimiser(OPTIMISER))));
await measure("serving", nRounds, () => captureAggregate(model, weights));
