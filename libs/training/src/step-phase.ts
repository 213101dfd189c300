import type { Model } from "@parfocal/models";
import { type CapturedGraph, captureGraph } from "@parfocal/tensor";
import { doAllLearn, labelOfGroup } from "./bag-groups.ts";
import { losesTogether } from "./join-losses.ts";
import { joinedHeadBuild, slideGradientBuild } from "./joined-graphs.ts";
import { groupOf, movingGroups, type Phase } from "./parameter-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { applyStepBuild, gradStepBuild, opinionsBuild, trainStepBuild } from "./step-graphs.ts";

/** The graphs of a training: one fused step for updates of one bag, else gradients and update apart. */
export type StepGraphs =
  | { readonly kind: "fused"; readonly step: CapturedGraph }
  | {
      readonly kind: "batched";
      readonly whole: GradientGraphs;
      /** Of bags that are joined behind the re-embedder. */
      readonly joined?: GradientGraphs;
      readonly apply: CapturedGraph;
    };

/** What the gradients of a bag are computed by. */
interface GradientGraphs {
  /** Of the update's first bag. */
  readonly first: CapturedGraph;
  /** Of later ones, which add to what is there. */
  readonly next: CapturedGraph;
  /** Of each slide of a joined bag; absent: nothing before the head moves. */
  readonly slide?: CapturedGraph;
}

/** Captures the graphs that train the plan's model in a phase. */
export function captureStepGraphs(plan: TrainPlan, phase: Phase): StepGraphs {
  const { model, optimiser, spec } = plan;
  const options = { phase, layerDecay: spec.layerDecay };
  const isTogether = losesTogether(model.config.task, spec.groups);
  const isJoined = plan.inputs.some((input) => input.isJoinedBehind);
  if (nBagsPerUpdate(plan) === 1 && !isTogether && !isJoined)
    return { kind: "fused", step: captureGraph(trainStepBuild(model, optimiser, options)) };
  const nOpinions = isTogether ? countOpinions(model, phase) : undefined;
  return {
    kind: "batched",
    whole: {
      first: captureGraph(gradStepBuild(model, false, phase, nOpinions)),
      next: captureGraph(gradStepBuild(model, true, phase, nOpinions)),
    },
    ...(isJoined && { joined: joinedGraphs(plan, phase, nOpinions) }),
    apply: captureGraph(applyStepBuild(model, optimiser, options)),
  };
}

function joinedGraphs(plan: TrainPlan, phase: Phase, nOpinions: number | undefined): GradientGraphs {
  const { model } = plan;
  const first = captureGraph(joinedHeadBuild(model, false, phase, nOpinions));
  const next = captureGraph(joinedHeadBuild(model, true, phase, nOpinions));
  if (phase === "frozen" || !canFreeze(plan)) return { first, next };
  return { first, next, slide: captureGraph(slideGradientBuild(model)) };
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
export function phaseOf(plan: TrainPlan, nDone: number): Phase {
  const { frozenEpochs } = plan.spec;
  if (frozenEpochs === 0 || !canFreeze(plan)) return "joint";
  return nDone < frozenEpochs ? "frozen" : "thawed";
}

/** Whether the re-embedder has something to learn. */
function canFreeze({ layout }: TrainPlan): boolean {
  return layout.trainable.some((parameter) => groupOf(parameter, "frozen") === "reembed");
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
