import {
  type LabelledBag,
  parsePretrainSpec,
  parseTrainSpec,
  pretrain,
  publishMixer,
  type StartFrom,
  train,
} from "@parfocal/training";
import { collect, type World } from "../../libs/training/src/testing/world.ts";
import { plantMagnifications } from "./planted-magnifications.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Slides of a planted trial. */
export interface MagnificationTrial {
  /** Slides whose labels nobody looks at: mixers are pretrained on these and on the training slides. */
  readonly nUnlabelled: number;
  readonly nTrain: number;
  readonly nTest: number;
  readonly levelCount: number;
  readonly seed: bigint;
}

/** A planted trial in a store. */
export interface PlantedTrial {
  readonly unlabelled: readonly LabelledBag[];
  /** Training and test part. */
  readonly labelled: readonly LabelledBag[];
  readonly seed: bigint;
}

/** What a mixer is pretrained by, in the words of the paper's table. */
export interface PretrainedAs {
  readonly removalRatio: number;
  /** Coarse tiles along the side of the contrastive source; absent: the masked objective alone. */
  readonly sourceTiles?: number;
}

/** How long is pretrained and fine-tuned, and how large mixers are. */
export interface MagnificationRecipe {
  readonly levelCount: number;
  readonly width: number;
  readonly depth: number;
  readonly pretrainRegions: number;
  readonly epochs: number;
}

/** A row of the table: what stands before the head. */
export interface MagnificationModel {
  readonly name: string;
  /** `reembed` of the model's configuration. */
  readonly reembed: Fields;
  /** Absent: from fresh weights. */
  readonly pretrained?: PretrainedAs;
}

/** Compartments along the side of a slide, coarse tiles along the side of one, and the features' noise. */
const TISSUE = { side: 2, compartmentSide: 4, noise: 0.5 };

/** Regions of the grid lie within compartments; of those that pretraining begins anywhere, three in four do. */
const REGION_TILES = 2;

/** As the paper names them: the finest is 20x. */
function levelName(level: number, levelCount: number): string {
  return `${20 / 2 ** (levelCount - 1 - level)}x`;
}

function plantedMixer({ levelCount, width, depth }: MagnificationRecipe, change: Fields = {}): Fields {
  return { kind: "region-mixer", levelCount, regionTiles: REGION_TILES, width, depth, heads: width / 16, ...change };
}

/** Every row of the table for one kind of output, in the paper's order. */
export function magnificationModels(
  recipe: MagnificationRecipe,
  output: "contextualised" | "compressed",
): readonly MagnificationModel[] {
  const { levelCount } = recipe;
  const mixer = (change: Fields = {}) => plantedMixer(recipe, { output, ...change });
  const every = Array.from({ length: levelCount }, (_, level) => level);
  const looks = [
    ...every.map((level) => ({ name: levelName(level, levelCount), levels: [level] })),
    { name: "all", levels: every },
  ];
  const pooled = looks.map(({ name, levels }) => ({
    name: `AB-MIL ${name}`,
    reembed: { kind: "levels", levelCount, levels },
  }));
  const random = looks.map(({ name, levels }) => ({ name: `Random ${name}`, reembed: mixer({ levels }) }));
  const masked = [0.25, 0.5, 0.75].map((removalRatio) => ({
    name: `MEM ${removalRatio.toFixed(2)}`,
    reembed: mixer(),
    pretrained: { removalRatio },
  }));
  const contrastive = [2, 4, 6].map((sourceTiles) => ({
    name: `CMEM ${sourceTiles}×${sourceTiles}`,
    reembed: mixer(),
    pretrained: { removalRatio: 0.5, sourceTiles },
  }));
  return [...(output === "contextualised" ? pooled : []), ...random, ...masked, ...contrastive];
}

/** Plants the slides of a trial. */
export async function plantTrial(world: World, trial: MagnificationTrial): Promise<PlantedTrial> {
  const { nUnlabelled, nTrain, nTest, levelCount, seed } = trial;
  const parts = { nTrain: nUnlabelled + nTrain, nValidation: 0, nTest };
  const bags = await plantMagnifications(world.store, { ...TISSUE, ...parts, levelCount, seed });
  return { unlabelled: bags.slice(0, nUnlabelled + nTrain), labelled: bags.slice(nUnlabelled), seed };
}

/** Pretrains a mixer on a trial's slides and publishes it. */
export async function pretrainPlanted(
  world: World,
  { unlabelled, seed }: PlantedTrial,
  recipe: MagnificationRecipe,
  { removalRatio, sourceTiles }: PretrainedAs,
): Promise<StartFrom> {
  const spec = parsePretrainSpec({
    mixer: plantedMixer(recipe),
    masked: { removalRatio, decoderWidth: (recipe.width * 4) / 3, decoderHeads: 4 },
    ...(sourceTiles !== undefined && { contrastive: { sourceTiles, projectorWidth: 64, projectionWidth: 32 } }),
    optimiser: { learningRate: 1e-2 },
    batchRegions: 32,
    microBatchRegions: 32,
    totalRegions: recipe.pretrainRegions,
    seed: seed.toString(),
  });
  const bags = unlabelled.map(({ bag, patient }) => ({ bag, ...(patient !== undefined && { patient }) }));
  const signal = new AbortController().signal;
  for await (const event of pretrain({ spec, bags, regionsPrefix: "regions" }, world.deps("pretrain"), signal)) {
    if (event.kind !== "done") continue;
    const prefix = `mixers/${event.pretrained.jobDigest}`;
    const { digest } = await publishMixer(world.store, prefix, event.pretrained, { codeVersion: "bench" });
    return { prefix, digest };
  }
  throw new Error("the pretraining ended without a mixer");
}

/**
 * Trains one row of the table on a trial's labelled slides and gives its AUROC on the test part. Every row has the same head,
 * step size, number of epochs and smoothing, and takes the last epoch: nothing is chosen by looking at held-out slides. A row that
 * starts from a mixer freezes it for an epoch and lets deep layers move less, as the paper does.
 */
export async function trainRow(
  world: World,
  { labelled, seed }: PlantedTrial,
  recipe: MagnificationRecipe,
  { name, reembed }: MagnificationModel,
  startFrom?: StartFrom,
): Promise<number> {
  const spec = parseTrainSpec({
    model: {
      reembed: { ...reembed },
      head: { kind: "gated-abmil", hidden: [recipe.width], attentionWidth: recipe.width / 2 },
      task: { kind: "binary", classes: ["0", "1"] },
    },
    epochs: recipe.epochs,
    batchSize: 4,
    optimiser: { kind: "adamw", learningRate: 2e-3, weightDecay: 0.05 },
    schedule: { kind: "cosine", warmupEpochs: 1 },
    labelSmoothing: 0.1,
    selection: "last",
    threshold: { kind: "fixed", value: 0.5 },
    ...(startFrom && { frozenEpochs: 1, layerDecay: 0.75 }),
    seed: seed.toString(),
  });
  const job = { spec, bags: labelled, ...(startFrom && { startFrom }) };
  const { trained } = await collect(train(job, world.deps(name), new AbortController().signal));
  return trained.test?.metrics.auroc?.value ?? Number.NaN;
}
