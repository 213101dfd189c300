import { buildModel } from "@parfocal/models";
import { type ConstantTensor, captureGraph } from "@parfocal/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { flatLayout, unflattenWeights } from "./flat-layout.ts";
import { createOptimiser } from "./optimiser.ts";
import { parseOptimiser } from "./optimiser-config.ts";
import { movingGroups, type Phase } from "./parameter-groups.ts";
import { applyStepBuild, gradStepBuild, trainStepBuild } from "./step-graphs.ts";
import { trainedSites } from "./step-ports.ts";
import { filler } from "./testing/filler.ts";
import { distance, modelTensors, only, runCaptured, runEager, type Tensors } from "./testing/graph-runs.ts";
import { RULES } from "./testing/optimisers.ts";
import { TINY_MODEL } from "./testing/tiny-model.ts";
import { openWorld, type World } from "./testing/world.ts";
import type { StepOptions } from "./update-graph.ts";

const MODEL = buildModel({ ...TINY_MODEL, dIn: 6 });
const LAYOUT = flatLayout(MODEL.parameters);
const PHASES = ["joint", "frozen", "thawed"] as const;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

function optimiserOf(name: string) {
  const [, rule] = RULES.find(([of]) => of === name) ?? [];
  return createOptimiser(parseOptimiser({ ...rule, learningRate: 0.01, weightDecay: 0.1 }));
}

/** Everything that a step takes: `steps` are the counts of the groups that move. */
function stepTensors(kind: string, phase: Phase, steps: readonly number[]): Tensors {
  const optimiser = optimiserOf(kind);
  const hyper = movingGroups(phase).flatMap((_, i) => [...optimiser.hyper(steps[i] ?? 1, 0.01)]);
  const slots = optimiser.slotNames.map((name, i): [string, ConstantTensor] => {
    const data = filler([LAYOUT.nTrainable], 60 + i, 0.1).map(Math.abs);
    return [`slot.${name}`, { dtype: "f32", shape: [data.length], data }];
  });
  return {
    ...modelTensors(MODEL, 5),
    hyper: { dtype: "f32", shape: [hyper.length], data: Float32Array.from(hyper) },
    ...Object.fromEntries(slots),
  };
}

function step(kind: string, options: StepOptions, steps: readonly number[]) {
  const build = trainStepBuild(MODEL, optimiserOf(kind), options);
  return runEager(build, stepTensors(kind, options.phase ?? "joint", steps));
}

describe.each(PHASES)("the %s step", (phase) => {
  it.each(RULES.map(([name]) => name))("captured equals the eager one, updated by %s in layers", async (kind) => {
    const options = trainStepBuild(MODEL, optimiserOf(kind), { phase, layerDecay: 0.75 });
    const tensors = stepTensors(kind, phase, [3, 1]);
    const [found, expected] = [await runCaptured(world.engine, options, tensors), runEager(options, tensors)];
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) expect(distance(found[name], values)).toBeLessThan(1e-5);
  });

  it("is what gradient and update make one after the other", () => {
    const optimiser = optimiserOf("adamw");
    const tensors = stepTensors("adamw", phase, [3, 1]);
    const whole = runEager(trainStepBuild(MODEL, optimiser, { phase }), tensors);
    const { loss, "next.gradients": data } = runEager(gradStepBuild(MODEL, false, phase), tensors);
    const gradients = { dtype: "f32", shape: [data?.length ?? 0], data: data ?? new Float32Array() } as const;
    const scale = { dtype: "f32", shape: [1], data: Float32Array.of(1) } as const;
    const applied = runEager(applyStepBuild(MODEL, optimiser, { phase }), { ...tensors, gradients, scale });
    expect({ ...applied, loss }).toEqual(whole);
  });
});

describe("a frozen step", () => {
  it("moves the head as a joint step without the re-embedder's dropout does, and nothing else", () => {
    const still = buildModel({ ...TINY_MODEL, reembed: { ...TINY_MODEL.reembed, dropout: 0 }, dIn: 6 });
    const tensors = stepTensors("adamw", "joint", [3]);
    const joint = runEager(trainStepBuild(still, optimiserOf("adamw")), tensors);
    const frozen = step("adamw", { phase: "frozen" }, [3]);
    const before = tensors.weights?.data as Float32Array;
    const [moved, expected, fresh] = [frozen["next.weights"], joint["next.weights"], before].map((flat) => {
      return unflattenWeights(LAYOUT.trainable, flat ?? new Float32Array());
    });
    for (const { name } of LAYOUT.trainable) {
      expect(moved?.[name], name).toEqual(name.startsWith("reembed.") ? fresh?.[name] : expected?.[name]);
    }
    expect(frozen.loss).toEqual(joint.loss);
  });

  it("takes words for the head's dropout alone, under their numbers among all", () => {
    const sites = trainedSites(MODEL, "frozen");
    expect(sites.map(([, { name }]) => name)).toEqual(
      MODEL.dropoutSites.map(({ name }) => name).filter((name) => name.startsWith("head.")),
    );
    for (const [i, site] of sites) expect(MODEL.dropoutSites[i]).toBe(site);
    expect(trainedSites(MODEL, "thawed")).toHaveLength(MODEL.dropoutSites.length);
  });

  it("leaves the backward pass of the re-embedder out of its graph", () => {
    const sizes = (["frozen", "joint"] as const).map((phase) => {
      const inputs = only(
        stepTensors("adamw", phase, [1]),
        trainStepBuild(MODEL, optimiserOf("adamw"), { phase }).inputs,
      );
      expect(Object.keys(inputs)).toContain("weights");
      return captureGraph(gradStepBuild(MODEL, false, phase)).model.byteLength;
    });
    expect(sizes[0]).toBeLessThan(0.7 * (sizes[1] ?? 0));
  });
});

describe("a step after the re-embedder was let go", () => {
  it("is the joint one when both count the same steps", () => {
    const [thawed, joint] = [step("adamw", { phase: "thawed" }, [4, 4]), step("adamw", {}, [4])];
    expect(thawed).toEqual(joint);
  });

  it("moves each group by its own count", () => {
    const thawed = step("adamw", { phase: "thawed" }, [9, 2]);
    const [ninth, second] = [step("adamw", {}, [9]), step("adamw", {}, [2])];
    const [found, head, reembed] = [thawed, ninth, second].map((outputs) => {
      return unflattenWeights(LAYOUT.trainable, outputs["next.weights"] ?? new Float32Array());
    });
    for (const { name } of LAYOUT.trainable) {
      expect(found?.[name], name).toEqual((name.startsWith("head.") ? head : reembed)?.[name]);
    }
  });
});
