/**
 * What the engine is asked before an update that bags do not make one by one.
 */
import type { RunRequest, TensorSource } from "@parfocal/engine";
import type { CapturedGraph } from "@parfocal/tensor";
import { type BagGroup, labelOfGroup, learningBag, plainLoss } from "./bag-groups.ts";
import { hostTensorFromFloats } from "./host-tensor.ts";
import { type OpinionGroup, tangentsOf } from "./join-losses.ts";
import type { TrainPlan } from "./plan.ts";
import type { Question, StepBag } from "./update.ts";

/** Which bag of each undecided group learns; `runs` score their bags, without dropout, in the groups' order. */
export function choiceQuestion(
  { job, model, spec }: TrainPlan,
  undecided: readonly BagGroup[],
  runs: readonly RunRequest[],
): Question {
  return {
    runs,
    output: "logits",
    answer(outputs) {
      const logits = [...outputs];
      const chosen = undecided.map((group): [BagGroup, number] => {
        const label = labelOfGroup(job.bags, group);
        const losses = logits.splice(0, group.length).map((z) => plainLoss(model.config.task, label ?? 0, z));
        return [group, learningBag(group, losses, spec.groups, label)];
      });
      return { chosen: new Map(chosen) };
    },
  };
}

/** What the bags of an update, in the order of its groups, think: their loss is one. */
export function togetherQuestion(
  { job, model, spec, targets }: TrainPlan,
  batch: readonly BagGroup[],
  bags: readonly StepBag[],
  graphOf: (bag: StepBag) => CapturedGraph,
): Question {
  const runs = bags.flatMap((bag): RunRequest[] => {
    const { target: _, ...feeds } = bag.feeds;
    return [...bag.before, { graph: graphOf(bag), feeds, fetches: { opinions: { kind: "inline" } } }];
  });
  return {
    runs,
    output: "opinions",
    answer(outputs) {
      const opinions = [...outputs];
      const groups = batch.map(
        (group): OpinionGroup => ({
          label: labelOfGroup(job.bags, group) ?? 0,
          target: targets[group[0] ?? -1] ?? [],
          opinions: opinions.splice(0, group.length),
        }),
      );
      return { tangents: tangentsOf(model.config.task, spec.groups, groups) };
    },
  };
}

/** A bag's feeds with its tangents in place of its target. */
export function withTangents(bag: StepBag, tangents: Float32Array<ArrayBuffer> | undefined, nLogits: number): StepBag {
  if (tangents === undefined) return bag;
  const { target: _, ...feeds } = bag.feeds;
  const tensor = hostTensorFromFloats([tangents.length / (nLogits + 1), nLogits + 1], tangents);
  const pulls: TensorSource = { kind: "inline", tensor };
  return { ...bag, feeds: { ...feeds, pulls } };
}
