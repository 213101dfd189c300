import { randomUUID } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { findModel } from "../client/find-model.ts";
import { followOperation } from "../client/follow-operation.ts";
import { labelledBag, matchLabels } from "../client/labelled-bags.ts";
import { presetSpec } from "../client/presets.ts";
import { assertNoFoldParts } from "../cohort/fixed-folds.ts";
import { inferTask, type TaskName, taskNameOf } from "../cohort/infer-task.ts";
import { readsRegions } from "../cohort/region-bags.ts";
import { shareGroupLabels } from "../cohort/share-group-labels.ts";
import { applyTaskSettings } from "../cohort/spec-settings.ts";
import { startedFrom, withLevelsOf } from "../cohort/start-model.ts";
import { createTrainingSpec, readTrainingSpec, type SpecOptions } from "../cohort/training-spec.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { evaluationRecord, showEvaluations } from "../output/evaluation-table.ts";
import type { Output } from "../output/output.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `train`. */
export interface TrainCommandOptions extends SpecOptions {
  readonly model: string;
  readonly labels: string;
  readonly labelColumn?: string;
  readonly timeColumn?: string;
  readonly eventColumn?: string;
  readonly clinical?: string;
  readonly splits?: readonly string[];
  readonly preset?: string;
  readonly startFrom?: string;
  readonly spec?: string;
  readonly requestId?: string;
  readonly wait: boolean;
  readonly task?: TaskName;
  readonly classes?: readonly string[];
}

/** `parfocal train`. */
export async function runTrain(context: CommandContext, options: TrainCommandOptions): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if (options.spec !== undefined && options.preset !== undefined)
    throw new UsageError("--preset and --spec are both where to start from; give one");
  const file = options.spec === undefined ? undefined : await readTrainingSpec(options.spec);
  // What is wrong without a preset and a model to start from is wrong before any service starts.
  if (options.preset === undefined && options.startFrom === undefined) createTrainingSpec(options, file);
  const { clients, isEmbedded } = await context.connect();
  const preset = options.preset === undefined ? file : await presetSpec(clients, options.preset, signal);
  const start =
    options.startFrom === undefined ? undefined : await findModel(clients, parent, options.startFrom, signal);
  const base =
    start === undefined
      ? preset
      : startedFrom(preset ?? commonV1.TrainingSpec.fromPartial({}), start, { isPreset: options.preset !== undefined });
  const asked = createTrainingSpec(options, base);
  if (!options.wait && isEmbedded) {
    throw new UsageError("--no-wait needs a gateway that outlives this command: run 'parfocal up', or give --gateway");
  }
  const wantsRegions = readsRegions(asked.architecture?.reembedder?.kind?.$case);
  const kind = options.task ?? taskNameOf(base?.task?.kind);
  const wish = {
    ...(options.task === undefined ? {} : { kind: options.task }),
    ...(options.classes === undefined ? {} : { classes: options.classes }),
  };
  const known = wish.kind === undefined && wish.classes === undefined ? base?.task : undefined;
  const classes = known?.classes ?? options.classes;
  const labels = { ...options, wantsRegions, ...(kind && { kind }), ...(classes && { classes }) };
  const matched = shareGroupLabels(await matchLabels(context, clients, labels), asked.groups);
  assertNoFoldParts(matched);
  const spec = withLevelsOf(
    asked,
    matched.map(({ bag }) => bag),
  );
  const rows = matched.map(({ row }) => row);
  spec.task = applyTaskSettings(known ?? inferTask(rows, wish), options.set);
  announce(output, spec.task, matched.length);
  const request: gatewayV1.TrainRequest = {
    parent,
    modelId: options.model,
    bags: matched.map((row) => labelledBag(row, { hasGroups: spec.groups !== undefined })),
    spec,
    requestId: options.requestId ?? randomUUID(),
    // By its version: an alias that moves does not make another request of the same id.
    startFrom: start?.name ?? "",
  };
  const operation = await clients.training.train(request, { signal });
  output.note(`operation ${operation.name}`);
  if (!options.wait) {
    output.record({ operation: operation.name, requestId: request.requestId });
    output.line(operation.name);
    return EXIT_CODES.ok;
  }
  const done = await followOperation(clients, operation.name, { output, signal, isOwner: true });
  showModel(output, operation.name, modelOf(done));
  return EXIT_CODES.ok;
}

/** Tells what will be learnt from how much. */
export function announce(output: Output, task: commonV1.Task, nBags: number): void {
  const isBinary = task.kind === commonV1.Task_Kind.KIND_BINARY;
  const classes = isBinary ? `${task.classes[1]} (positive) against ${task.classes[0]}` : task.classes.join(", ");
  output.note(`${plural(nBags, "bag")}: ${classes || `times of events (${taskNameOf(task.kind)})`}`);
}

/** The model that an operation made. */
export function modelOf(operation: googleLongrunning.Operation): gatewayV1.Model {
  const response = operation.result?.$case === "response" ? operation.result.value.value : new Uint8Array();
  const { model } = gatewayV1.GetModelResponse.decode(response);
  if (model === undefined) throw new DomainError("INTERNAL", "the operation ended without a model");
  return model;
}

function showModel(output: Output, operation: string, model: gatewayV1.Model): void {
  const { name, head, parameterCount, history, validation, test } = model;
  output.record({
    operation,
    model: name,
    head,
    parameters: parameterCount,
    epochs: history.length,
    validation: evaluationRecord(validation),
    test: evaluationRecord(test),
  });
  showEvaluations(output, [
    { name: "validation", evaluation: validation },
    { name: "test", evaluation: test },
  ]);
  output.line();
  output.line(`model ${name}`);
}
