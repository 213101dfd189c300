import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { modelOf } from "../actions/train.ts";
import { followOperation } from "../client/follow-operation.ts";
import { MAGNIFIED_CLASSES } from "../cohort/planted-magnifications.ts";
import { createPretrainSpec } from "../cohort/pretrain-spec.ts";
import { startedFrom } from "../cohort/start-model.ts";
import { createTrainingSpec, type SpecOptions } from "../cohort/training-spec.ts";
import type { MagnifiedContext, RegionSlide } from "./magnified-cohort.ts";

/** A row of the demo's table: what stands before the head, and the model. */
export interface MagnifiedModel {
  readonly name: string;
  readonly model: gatewayV1.Model;
}

/** A mixer that trains in seconds: the presets are made for weeks of slides. */
const MIXER = ["regionTiles=2", "width=32", "depth=1", "heads=2"];
const PRETRAINING = {
  ...({ objective: "mem", ratio: 0.5, regions: 2560, batchRegions: 32, lr: 8e-3, validation: 0.2 } as const),
  set: [
    "masked.decoder-width=48",
    "masked.decoder-depth=1",
    "masked.decoder-heads=3",
    ...MIXER.map((value) => `mixer.${value}`),
  ],
};
const RECIPE: SpecOptions = {
  ...{ head: "gated-abmil", hidden: "32", attentionWidth: 16, dropout: 0, epochs: 10, batchSize: 4 },
  ...{ optimiser: "adamw", lr: 2e-3, weightDecay: 0.05, schedule: "cosine", labelSmoothing: 0.1, selection: "last" },
};

/** Pretrains a tiny mixer on the slides that are not held out. */
export async function pretrainDemo(
  { clients, parent, signal, output }: MagnifiedContext,
  slides: readonly RegionSlide[],
  seed: bigint,
): Promise<gatewayV1.Model> {
  const bags = slides.filter(({ isHeldOut }) => !isHeldOut).map(({ bag }) => bag.name);
  const spec = createPretrainSpec(PRETRAINING, 3);
  const { name } = await clients.training.pretrain({ parent, modelId: "mixer", bags, seed, spec }, { signal });
  return modelOf(await followOperation(clients, name, { output, signal, isOwner: true }));
}

/** Trains the same head on what the mixer gives, on what a mixer of fresh weights gives, and on tiles of 20x as they are. */
export async function trainRows(
  context: MagnifiedContext,
  slides: readonly RegionSlide[],
  mixer: gatewayV1.Model,
  seed: bigint,
): Promise<MagnifiedModel[]> {
  const pretrained = { ...RECIPE, reembed: "region-mixer", frozenEpochs: 1, layerDecay: 0.75, seed } as const;
  const fresh = { ...RECIPE, reembed: "region-mixer", seed, set: MIXER.map((value) => `reembed.${value}`) } as const;
  const fine = { ...RECIPE, reembed: "levels", levels: [2], seed } as const;
  const base = startedFrom(commonV1.TrainingSpec.fromPartial({}), mixer);
  const rows = [
    { name: "pretrained mixer", spec: createTrainingSpec(pretrained, base), startFrom: mixer.name },
    { name: "the same mixer, fresh", spec: createTrainingSpec(fresh), startFrom: "" },
    { name: "20x tiles alone", spec: createTrainingSpec(fine), startFrom: "" },
  ];
  const models: MagnifiedModel[] = [];
  for (const row of rows) models.push({ name: row.name, model: await trainRow(context, slides, row) });
  return models;
}

async function trainRow(
  { clients, parent, signal, output }: MagnifiedContext,
  slides: readonly RegionSlide[],
  { spec, startFrom }: { readonly spec: commonV1.TrainingSpec; readonly startFrom: string },
): Promise<gatewayV1.Model> {
  const { PART_TRAIN, PART_TEST } = commonV1.Part;
  const bags = slides.map(({ slide, bag, isHeldOut }) => ({
    ...{ bag: bag.name, labels: [slide.label], unknownLabels: [], patientId: slide.patient, groupId: "" },
    part: isHeldOut ? PART_TEST : PART_TRAIN,
  }));
  const task = commonV1.Task.fromPartial({ kind: commonV1.Task_Kind.KIND_BINARY, classes: [...MAGNIFIED_CLASSES] });
  const request = { parent, modelId: "paired", bags, spec: { ...spec, task }, startFrom };
  const { name } = await clients.training.train(request, { signal });
  return modelOf(await followOperation(clients, name, { output, signal, isOwner: true }));
}
