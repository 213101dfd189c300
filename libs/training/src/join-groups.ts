import type { Split } from "@parfocal/metrics";
import type { Model } from "@parfocal/models";
import type { PartGroups } from "./bag-groups.ts";
import type { BagInput } from "./bag-inputs.ts";
import type { LabelledBag, TrainJob } from "./job.ts";
import { joinInputs } from "./join-inputs.ts";

/** The part of a plan that speaks of bags. */
interface PlannedBags {
  readonly job: TrainJob;
  readonly split: Split;
  readonly groups: PartGroups;
  readonly inputs: readonly BagInput[];
  readonly targets: readonly Float32Array<ArrayBuffer>[];
}

/**
 * The same plan with a bag for each group, which is the slides of it joined: rows, parts and groups are those of the joined bags, each of
 * which stands where the first of its bags stood.
 *
 * @param name under which the tiles of a joined bag lie in the engine.
 * @throws {DomainError} As `joinInputs`.
 */
export function joinGroups(
  { job, split, groups, inputs, targets }: PlannedBags,
  model: Model,
  name: string,
): PlannedBags {
  const bags: LabelledBag[] = [];
  const joined: BagInput[] = [];
  const kept: Float32Array<ArrayBuffer>[] = [];
  const join = (part: keyof PartGroups): number[] =>
    groups[part].map((group) => {
      const [first = -1] = group;
      bags.push(...job.bags.slice(first, first + 1));
      joined.push(
        joinInputs(
          group.flatMap((row) => inputs[row] ?? []),
          model,
          name,
        ),
      );
      kept.push(targets[first] ?? new Float32Array());
      return bags.length - 1;
    });
  const rows = { train: join("train"), validation: join("validation"), test: join("test") };
  const alone = (of: readonly number[]) => of.map((row) => [row]);
  return {
    job: { ...job, bags },
    split: { ...split, ...rows },
    groups: { train: alone(rows.train), validation: alone(rows.validation), test: alone(rows.test) },
    inputs: joined,
    targets: kept,
  };
}
