import { commonV1 } from "@parfocal/protocol";
import type { ArchitectureOptions } from "../cohort/architecture-options.ts";
import { inferTask, type TaskName, type TaskRow } from "../cohort/infer-task.ts";
import { createTrainingSpec, type SpecOptions } from "../cohort/training-spec.ts";
import { jsonFromSection } from "./contract-json.ts";
import type { Experiment, Section, SectionValue } from "./experiment.ts";
import { camelCase } from "./field-names.ts";

/**
 * The training specification of an experiment without its task: what `base` says (a preset, a model to start from), then the file.
 *
 * @throws {UsageError} for values that mean nothing together.
 */
export function specFromExperiment(
  experiment: Pick<Experiment, "model" | "sections">,
  seed: bigint,
  base?: commonV1.TrainingSpec,
): commonV1.TrainingSpec {
  return createTrainingSpec({ ...optionsOf(experiment), seed }, base);
}

/** The file's task; what it leaves open is what the labels make. @throws {UsageError} when the labels do not fit. */
export function taskFromExperiment({ task = {} }: Pick<Experiment, "task">, rows: readonly TaskRow[]): commonV1.Task {
  const { kind, classes } = task;
  const inferred = inferTask(rows, {
    ...(kind === undefined ? {} : { kind: kind as TaskName }),
    ...(classes === undefined ? {} : { classes: classes as string[] }),
  });
  const said = jsonFromSection("parfocal.common.v1.Task", task);
  return commonV1.Task.fromJSON({ ...(commonV1.Task.toJSON(inferred) as object), ...said });
}

/** The file's values as the options of `train`, single values as it takes them with `--set`. */
function optionsOf({ model, sections }: Pick<Experiment, "model" | "sections">): SpecOptions {
  const { standardise, single_logit: singleLogit } = model;
  const { kind: head, trunk, ...headValues } = sectionOf(model.head);
  const { kind: reembed, ...reembedValues } = sectionOf(model.reembed);
  const { dropout, ...trunkValues } = sectionOf(trunk);
  const { hidden } = trunkValues;
  const options = {
    standardise,
    singleLogit,
    head,
    reembed,
    // That there are widths, or none, decides other defaults; which they are is set below.
    hidden: hidden === undefined ? undefined : "none",
    dropout,
  };
  const set = [
    ...settings("reembed", reembedValues),
    ...settings("head", headValues),
    ...settings("head.trunk", trunkValues),
    ...Object.entries(sections).flatMap(([name, section]) => settings(camelCase(name), section)),
  ];
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(given) as ArchitectureOptions), set };
}

function settings(path: string, section: Section): string[] {
  return Object.entries(section).flatMap(([name, value]) => {
    const inner = `${path}.${camelCase(name)}`;
    return isSection(value) ? settings(inner, value) : [`${inner}=${textOf(value)}`];
  });
}

/** A value as `--set` takes it. */
function textOf(value: SectionValue): string {
  if (!Array.isArray(value)) return String(value);
  return value.length === 0 ? "none" : value.join(",");
}

function sectionOf(value: SectionValue | undefined): Section {
  return isSection(value) ? value : {};
}

function isSection(value: SectionValue | undefined): value is Section {
  return typeof value === "object" && !Array.isArray(value);
}
