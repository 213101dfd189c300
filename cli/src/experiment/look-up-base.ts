import { isDomainError } from "@parfocal/errors";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { findModel } from "../client/find-model.ts";
import { presetSpec } from "../client/presets.ts";
import { startedFrom } from "../cohort/start-model.ts";
import { UsageError } from "../exit-codes.ts";
import { SettingError } from "../setting-error.ts";
import type { Experiment } from "./experiment.ts";

/** What an experiment builds on, as the gateway has it. */
export interface ExperimentBase {
  /** What the preset and the model say; absent: neither is named. */
  readonly spec?: commonV1.TrainingSpec;
  /** By its version; absent: fresh weights. */
  readonly start?: gatewayV1.Model;
  /** What is named and not there, at most one each; then the rest is not whole. */
  readonly problems: readonly SettingError[];
}

/** Where things are looked up. */
export interface Served {
  readonly clients: Pick<GatewayClients, "models" | "training">;
  /** `projects/{project}`. */
  readonly parent: string;
  readonly signal: AbortSignal;
}

/** Looks up the preset and the model that an experiment starts from. @throws {DomainError} when the gateway does not tell. */
export async function lookUpBase(
  served: Served,
  { preset, startFrom }: Pick<Experiment, "preset" | "startFrom">,
): Promise<ExperimentBase> {
  const [named, start] = await Promise.all([
    preset === undefined ? undefined : found(presetOf(served, preset)),
    startFrom === undefined ? undefined : found(modelOf(served, startFrom)),
  ]);
  const problems = [named, start].flatMap((each) => (each instanceof SettingError ? [each] : []));
  const known = named instanceof SettingError ? undefined : named;
  if (start === undefined || start instanceof SettingError) return { ...(known && { spec: known }), problems };
  return {
    spec: startedFrom(known ?? commonV1.TrainingSpec.fromPartial({}), start, { isPreset: true }),
    start,
    problems,
  };
}

async function presetOf({ clients, signal }: Served, preset: string): Promise<commonV1.TrainingSpec> {
  return presetSpec(clients, preset, signal).catch((error: unknown) => {
    throw error instanceof UsageError
      ? new SettingError({ setting: "preset" }, error.message, { cause: error })
      : error;
  });
}

async function modelOf({ clients, parent, signal }: Served, text: string): Promise<gatewayV1.Model> {
  return findModel(clients, parent, text, signal).catch((error: unknown) => {
    const message = noModel(error, text, parent);
    throw message === undefined ? error : new SettingError({ setting: "startFrom" }, message, { cause: error });
  });
}

/** Why a text names no model; undefined for what says nothing of it. */
function noModel(error: unknown, text: string, parent: string): string | undefined {
  if (isDomainError(error, "NOT_FOUND")) return `${parent} has no model "${text}"`;
  const isName = !(error instanceof UsageError || isDomainError(error, "INVALID_ARGUMENT"));
  return isName ? undefined : `"${text}" is no model id, id@alias or resource name`;
}

/** A setting's error as a value: what is wrong with the other one is told too. */
function found<T>(looking: Promise<T>): Promise<T | SettingError> {
  return looking.catch((error: unknown) => {
    if (error instanceof SettingError) return error;
    throw error;
  });
}
