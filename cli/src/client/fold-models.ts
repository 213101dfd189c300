import { DomainError } from "@parfocal/errors";
import { gatewayV1 } from "@parfocal/protocol";
import { UsageError } from "../exit-codes.ts";
import type { GatewayClients } from "./clients.ts";
import { operationError } from "./follow-operation.ts";
import { operationIdOf, operationNameOf } from "./operation-name.ts";

/**
 * Names of the models of a cross-validation's folds, repeat by repeat.
 *
 * @throws {UsageError} when it is another operation, or its models were not kept. @throws {DomainError} `NOT_FOUND` when it is not there;
 * `PRECONDITION_FAILED` while it runs; the operation's own error.
 */
export async function foldModels(
  { operations }: GatewayClients,
  parent: string,
  text: string,
  signal: AbortSignal,
): Promise<string[]> {
  const name = operationNameOf(parent, text);
  const operation = await operations.getOperation({ name }, { signal });
  const id = operationIdOf(name);
  if (!operation.done) throw new DomainError("PRECONDITION_FAILED", `operation ${id} still runs; wait for its end`);
  const error = operationError(operation);
  if (error !== undefined) throw error;
  const answer = operation.result?.$case === "response" ? operation.result.value : undefined;
  if (answer?.typeUrl.endsWith("CrossValidateResponse") !== true)
    throw new UsageError(`operation ${id} is no cross-validation`);
  const { folds } = gatewayV1.CrossValidateResponse.decode(answer.value);
  const models = folds.flatMap(({ model }) => (model === "" ? [] : [model]));
  if (models.length > 0) return models;
  throw new UsageError(`the models of cross-validation ${id} were not kept; 'parfocal crossval --keep' keeps them`);
}
