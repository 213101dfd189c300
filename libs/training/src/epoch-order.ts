import { createRng } from "@parfocal/metrics";
import type { Task } from "@parfocal/models";
import { type BagGroup, labelOfGroup } from "./bag-groups.ts";
import type { TrainPlan } from "./plan.ts";
import { samplingClass } from "./sampling-class.ts";

/** What decides which groups an epoch takes. */
type OrderFacts = Pick<TrainPlan, "job" | "groups" | "spec"> & {
  readonly model: { readonly config: { readonly task: Task } };
};

/**
 * The groups of the training part that an epoch takes, in their order, by the epoch's number from 1. `shuffle`: each once. `balanced`: as
 * many as there are, drawn with replacement, each class that occurs equally often on average, and its groups alike: the chance of
 * a group is inverse to the size of its class. Follows from seed and epoch alone, so that a resumed training takes the same.
 *
 * Source: the weighted sampler of CLAM's public program (Lu et al. 2021).
 */
export function createEpochOrder({ job, groups, spec, model }: OrderFacts): (epoch: number) => BagGroup[] {
  const rngOf = (epoch: number) => createRng(spec.seed).fork(`order of epoch ${epoch}`);
  if (spec.sampling === "shuffle") return (epoch) => rngOf(epoch).shuffle([...groups.train]);
  const classes = [
    ...classesOf(groups.train, (group) => samplingClass(model.config.task, labelOfGroup(job.bags, group))),
  ];
  return (epoch) => {
    const rng = rngOf(epoch);
    return groups.train.map((): BagGroup => {
      const drawn = classes[rng.nextInt(classes.length)] ?? [];
      return drawn[rng.nextInt(drawn.length)] ?? [];
    });
  };
}

/** Most bags that the groups of an epoch can have: what keeps random words of two epochs apart. */
export function mostBagsPerEpoch({ groups, spec, split }: Pick<TrainPlan, "groups" | "spec" | "split">): number {
  if (spec.sampling === "shuffle") return split.train.length;
  return groups.train.reduce((most, group) => Math.max(most, group.length), 0) * groups.train.length;
}

/** The groups by their class, classes in the order of their first groups. */
function classesOf(groups: readonly BagGroup[], classOf: (group: BagGroup) => string): Iterable<readonly BagGroup[]> {
  const found = new Map<string, BagGroup[]>();
  for (const group of groups) {
    const others = found.get(classOf(group));
    if (others === undefined) found.set(classOf(group), [group]);
    else others.push(group);
  }
  return found.values();
}
