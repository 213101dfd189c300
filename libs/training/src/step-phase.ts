import type { Model } from "@parfocal/models";
import { type CapturedGraph, captureGraph } from "@parfocal/tensor";
import { doAllLearn, labelOfGroup } from "./bag-groups.ts";
import { losesTogether } from "./join-losses.ts";
import { groupOf, movingGroups, type Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { applyStepBuild, gradStepBuild, opinionsBuild, trainStepBuild } from "./step-graphs.ts";

/** The graphs of a training: one fused step for updates of one bag, else gradients and update apart. */
export type StepGraphs =
  | { readonly kind: "fused"; readonly step: CapturedGraph }
  | {
      readonly kind: "batched";
      readonly first: CapturedGraph;
      readonly next: CapturedGraph;
      readonly apply: CapturedGraph;
    };

/** Captures the graphs that train the plan's model in a phase. */
export function captureStepGraphs(plan: TrainPlan, phase: Phase): StepGraphs {
  const { model, optimiser, spec } = plan;
  const options = { phase, layerDecay: spec.layerDecay };
  const isTogether = losesTogether(model.config.task, spec.groups);
  if (nBagsPerUpdate(plan) === 1 && !isTogether)
    return { kind: "fused", step: captureGraph(trainStepBuild(model, optimiser, options)) };
  const nOpinions = isTogether ? countOpinions(model, phase) : undefined;
  return {
    kind: "batched",
    first: captureGraph(gradStepBuild(model, false, phase, nOpinions)),
    next: captureGraph(gradStepBuild(model, true, phase, nOpinions)),
    apply: captureGraph(applyStepBuild(model, optimiser, options)),
  };
}

/** S, sets of logits that the loss of a bag looks at. */
function countOpinions(model: Model, phase: Phase): number {
  const [port] = captureGraph(opinionsBuild(model, phase)).outputs;
  return Number(port?.shape[0] ?? 1);
}

/** Bags that an update learns from, at most. */
function nBagsPerUpdate({ spec, groups, job }: TrainPlan): number {
  const sizes = groups.train.map((group) =>
    doAllLearn(spec.groups, labelOfGroup(job.bags, group)) ? group.length : 1,
  );
  return spec.batchSize * Math.max(...sizes);
}

/** The phase of the epoch after `nDone` finished ones. A model whose re-embedder has no parameters has nothing to freeze. */
export function phaseOf({ spec, layout }: TrainPlan, nDone: number): Phase {
  const canFreeze = layout.trainable.some((parameter) => groupOf(parameter, "frozen") === "reembed");
  if (spec.frozenEpochs === 0 || !canFreeze) return "joint";
  return nDone < spec.frozenEpochs ? "frozen" : "thawed";
}

/** Hyper-parameters of the groups that move; the re-embedder's count of steps begins where it was let go. */
export function hyperOf(
  { optimiser, spec }: TrainPlan,
  at: {
    readonly phase: Phase;
    readonly update: number;
    readonly nUpdatesPerEpoch: number;
    readonly learningRate: number;
  },
): Float32Array {
  const first = { all: 0, head: 0, reembed: spec.frozenEpochs * at.nUpdatesPerEpoch };
  const hypers = movingGroups(at.phase).map((group) => optimiser.hyper(at.update + 1 - first[group], at.learningRate));
  return Float32Array.from(hypers.flatMap((hyper) => [...hyper]));
}
