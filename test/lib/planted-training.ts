import { parseTrainSpec, train } from "@parfocal/training";
import { collect, type World } from "../../libs/training/src/testing/world.ts";
import { type PlantedOptions, plantNeighbours, type StorageOrder } from "./planted-neighbours.ts";

/** A model under trial on planted cohorts and how the bags that it gets are stored. */
export interface PlantedModel {
  readonly name: string;
  readonly order: StorageOrder;
  /** `reembed` of a model's configuration. */
  readonly reembed: Readonly<Record<string, unknown>>;
}

/** How models are trained on planted cohorts. */
export interface PlantedRecipe {
  /** Of the re-embedded tiles and of the head's layer. */
  readonly width: number;
  readonly epochs: number;
}

/** The models under trial; the head is gated attention pooling for all. */
export function plantedModels(width: number): readonly PlantedModel[] {
  const roformer = { kind: "roformer", width, heads: 4 };
  const r2t = { kind: "r2t", stemWidth: width, heads: 4, crmsaHeads: 4 };
  const onSlide = { ...r2t, compat: "corrected", grid: "coordinates" };
  return [
    { name: "abmil", order: "row-major", reembed: { kind: "none" } },
    { name: "roformer", order: "row-major", reembed: roformer },
    { name: "r2t", order: "row-major", reembed: r2t },
    { name: "r2t-shuffled", order: "shuffled", reembed: r2t },
    { name: "r2t-grid-shuffled", order: "shuffled", reembed: onSlide },
  ];
}

/**
 * Plants a cohort, trains a model on it and gives its AUROC on the test part. AdamW at 2e-3 with an epoch of warm-up and a
 * cosine behind it, the last epoch, no validation part: nothing is chosen by looking at held-out slides. Cohort and training have the cohort's seed.
 */
export async function trainPlanted(
  world: World,
  { name, order, reembed }: PlantedModel,
  { width, epochs }: PlantedRecipe,
  cohort: Omit<PlantedOptions, "order">,
): Promise<number> {
  const bags = await plantNeighbours(world.store, { ...cohort, order });
  const spec = parseTrainSpec({
    model: {
      reembed: { ...reembed },
      head: { kind: "gated-abmil", hidden: [width], attentionWidth: width / 2 },
      task: { kind: "binary", classes: ["0", "1"] },
    },
    epochs,
    optimiser: { kind: "adamw", learningRate: 2e-3 },
    schedule: { kind: "cosine", warmupEpochs: 1 },
    selection: "last",
    threshold: { kind: "fixed", value: 0.5 },
    seed: cohort.seed.toString(),
  });
  const { trained } = await collect(train({ spec, bags }, world.deps(name), new AbortController().signal));
  return trained.test?.metrics.auroc?.value ?? Number.NaN;
}
