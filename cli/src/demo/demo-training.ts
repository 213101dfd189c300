import { randomUUID } from "node:crypto";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { type AssignedRow, assignParts } from "../cohort/assign-parts.ts";
import { inferTask } from "../cohort/infer-task.ts";
import type { MatchedRow } from "../cohort/match-bags.ts";
import { createTrainingSpec, type SpecOptions } from "../cohort/training-spec.ts";
import type { DemoSource } from "./demo-cohort.ts";
import { PLANTED_EPOCHS } from "./planted-size.ts";

/** Shares of the patients. Of a small made-up cohort much is held out, so that intervals mean something. */
const PLANTED_FRACTIONS = { train: 0.5, validation: 0.2, test: 0.3 };
const USER_FRACTIONS = { train: 0.65, validation: 0.15, test: 0.2 };

const PARTS = {
  train: commonV1.Part.PART_TRAIN,
  validation: commonV1.Part.PART_VALIDATION,
  test: commonV1.Part.PART_TEST,
};

/** Recipes that suit the sources: planted slides, and bags of classic benchmarks or of an encoder. */
const PLANTED_RECIPE: SpecOptions = {
  hidden: "64",
  attentionWidth: 32,
  dropout: 0.25,
  epochs: PLANTED_EPOCHS,
  optimiser: "adamw",
  lr: 1e-3,
  weightDecay: 1e-3,
  schedule: "cosine",
  // Small validation parts choose wild thresholds among probabilities of 0.999.
  labelSmoothing: 0.1,
};
const USER_RECIPE: SpecOptions = {
  hidden: "256,128,64",
  attentionWidth: 64,
  dropout: 0.5,
  epochs: 40,
  optimiser: "adam",
  lr: 2e-4,
  weightDecay: 1e-4,
  standardise: true,
};

/** The task of a source's labels. */
export function taskOf(source: DemoSource, rows: readonly MatchedRow[]): commonV1.Task {
  return inferTask(
    rows.map(({ row }) => row),
    source.classes === undefined ? {} : { classes: source.classes },
  );
}

/** Assigns the rows of a source to parts; of a made-up cohort much is held out. */
export function assignSource(
  source: DemoSource,
  rows: readonly MatchedRow[],
  task: commonV1.Task,
  seed: bigint,
): AssignedRow[] {
  return assignParts(rows, task, { fractions: source.kind === "planted" ? PLANTED_FRACTIONS : USER_FRACTIONS, seed });
}

/** Starts the training of a gated ABMIL; gives the operation's name. */
export async function startTraining(
  { training }: GatewayClients,
  request: {
    readonly parent: string;
    readonly modelId: string;
    readonly rows: readonly AssignedRow[];
    readonly spec: commonV1.TrainingSpec;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const bags = request.rows.map(
    ({ row, bag, part, patient }): gatewayV1.LabelledBag => ({
      bag: bag.name,
      labels: [...row.labels],
      unknownLabels: [...row.unknownLabels],
      patientId: patient,
      part: PARTS[part],
      groupId: "",
      values: {},
    }),
  );
  const { parent, modelId, spec, signal } = request;
  const operation = await training.train(
    { parent, modelId, bags, spec, requestId: randomUUID(), startFrom: "" },
    { signal },
  );
  return operation.name;
}

/** What to train on a source. */
export function demoSpec(
  source: DemoSource,
  task: commonV1.Task,
  { seed, epochs }: { readonly seed: bigint; readonly epochs: number | undefined },
): commonV1.TrainingSpec {
  const recipe = source.kind === "planted" ? PLANTED_RECIPE : USER_RECIPE;
  const options = { ...recipe, head: "gated-abmil", seed, ...(epochs === undefined ? {} : { epochs }) } as const;
  return { ...createTrainingSpec(options), task };
}
