import { DomainError } from "@parfocal/errors";
import { commonV1, gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { assertDistinct, assertLength, entriesOfNamed } from "./named-bags.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";
import { assertStart } from "./train.ts";

const MAX_BAGS = 100_000;
const MAX_FOLDS = 100;
const MAX_REPEATS = 20;

/** `CrossValidate`: refuses at once what could not work later, then starts the workflow. */
export function createCrossValidate({ bags, models, operations }: Pick<GatewayDeps, "bags" | "models" | "operations">) {
  return async (
    request: gatewayV1.CrossValidateRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    const { spec, requestId, startFrom } = request;
    if (spec?.task === undefined) {
      const field = spec === undefined ? "spec" : "spec.task";
      throw new DomainError("INVALID_ARGUMENT", `${field} is missing`, { details: { field } });
    }
    if (request.keepAs !== "") resourceName("model", { project, model: request.keepAs });
    assertFolds(request);
    const named = request.bags.map(({ bag }, index) => ({ name: bag, field: `bags[${index}].bag` }));
    assertDistinct(named);
    const json = requestJson(gatewayV1.CrossValidateRequest, request);
    return startOperation(operations, { kind: "cross-validate", project, requestId, json }, async () => {
      await entriesOfNamed(bags, project, named, signal);
      if (startFrom !== "") await assertStart(models, project, startFrom, spec, signal);
    });
  };
}

function assertFolds({ bags, folds, repeats, fixedFolds, sites }: gatewayV1.CrossValidateRequest): void {
  assertLength("bags", bags, 2, MAX_BAGS);
  assertBounds("folds", folds, 2, MAX_FOLDS);
  assertBounds("repeats", repeats, 0, fixedFolds.length + sites.length > 0 ? 1 : MAX_REPEATS);
  const withPart = bags.findIndex(({ part }) => part !== commonV1.Part.PART_UNSPECIFIED);
  if (withPart >= 0) {
    const field = `bags[${withPart}].part`;
    throw new DomainError("INVALID_ARGUMENT", `${field} is given; folds give parts`, { details: { field } });
  }
  if (sites.length > 0) {
    assertLength("sites", sites, bags.length, bags.length);
    assertLength("fixed_folds", fixedFolds, 0, 0);
  }
  if (fixedFolds.length === 0) return;
  assertLength("fixed_folds", fixedFolds, bags.length, bags.length);
  for (const [index, fold] of fixedFolds.entries()) assertBounds(`fixed_folds[${index}]`, fold, 1, folds);
}

function assertBounds(field: string, value: number, min: number, max: number): void {
  if (value >= min && value <= max) return;
  const bound = `${min} to ${max}`;
  throw new DomainError("INVALID_ARGUMENT", `${field} is ${value}; it is ${bound}`, {
    details: { field, value: `${value}`, bound },
  });
}
