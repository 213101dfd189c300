import type { gatewayV1 } from "@parfocal/protocol";
import { assertOneTask, edgesOfConfig } from "@parfocal/service-gateway/ensemble-models";
import { UsageError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";
import { findModel } from "./find-model.ts";
import { foldModels } from "./fold-models.ts";

/** Options that say which models speak. */
export interface ModelChoice {
  /** By any of their names. */
  readonly models: readonly string[] | undefined;
  /** The kept models of a cross-validation's folds in their place; they speak together. */
  readonly crossval: string | undefined;
  /** Whether what they say together is asked for. */
  readonly ensemble: boolean | undefined;
}

/** @throws {UsageError} for options that name no models or name them twice; `option` is what names them. */
export function assertModelChoice({ models, crossval }: Omit<ModelChoice, "ensemble">, option: string): void {
  if ((models === undefined) !== (crossval === undefined)) return;
  const given = models === undefined ? "neither is" : "both are";
  throw new UsageError(`give ${option} or --crossval; ${given} given`);
}

/** Whether what several models say together is asked for. */
export function isEnsembleChosen({ crossval, ensemble = false }: Omit<ModelChoice, "models">): boolean {
  return ensemble || crossval !== undefined;
}

/** The names of the models chosen. @throws {DomainError} as {@link foldModels}. */
export async function chosenNames(
  clients: GatewayClients,
  parent: string,
  { models = [], crossval }: ModelChoice,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return crossval === undefined ? models : foldModels(clients, parent, crossval, signal);
}

/**
 * The versions chosen. `areAlike`: they must decide one task.
 *
 * @throws {UsageError} for a version that is named twice. @throws {DomainError} as `findModel`, `foldModels` and, of an ensemble or where they
 * must be alike, `assertOneTask`.
 */
export async function chosenModels(
  clients: GatewayClients,
  parent: string,
  choice: ModelChoice,
  { areAlike, signal }: { readonly areAlike: boolean; readonly signal: AbortSignal },
): Promise<readonly gatewayV1.Model[]> {
  const found: gatewayV1.Model[] = [];
  for (const name of await chosenNames(clients, parent, choice, signal)) {
    const model = await findModel(clients, parent, name, signal);
    if (found.some((other) => other.name === model.name))
      throw new UsageError(`two models are the same version, ${model.name}`);
    found.push(model);
  }
  if (isEnsembleChosen(choice) || (areAlike && found.length > 1)) assertOneTask(found.map(memberOf));
  return found;
}

function memberOf({ name, task, configJson }: gatewayV1.Model) {
  // Of a model that decides nothing the kind is unspecified, which differs from all others.
  return { field: name, task: task ?? { kind: 0, classes: [] }, ...edgesOfConfig(configJson) };
}
