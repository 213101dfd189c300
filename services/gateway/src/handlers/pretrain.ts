import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning, parseResourceName, resourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { BagEntry } from "../catalog/bag-catalog.ts";
import type { GatewayDeps } from "../deps.ts";
import { assertDistinct, assertLength, entriesOfNamed } from "./named-bags.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

const MAX_BAGS = 100_000;

/** Magnifications of a mixer that does not say, as the contract has it. */
const USUAL_LEVELS = 3;

/** `Pretrain`: refuses at once what could not work later, then starts the workflow. */
export function createPretrain({ bags, operations }: Pick<GatewayDeps, "bags" | "operations">) {
  return async (
    request: gatewayV1.PretrainRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    resourceName("model", { project, model: request.modelId });
    const { spec, requestId } = request;
    const mixer = spec?.mixer;
    if (mixer === undefined) {
      const field = spec === undefined ? "spec" : "spec.mixer";
      throw new DomainError("INVALID_ARGUMENT", `${field} is missing`, { details: { field } });
    }
    assertLength("bags", request.bags, 1, MAX_BAGS);
    const named = request.bags.map((name, index) => ({ name, field: `bags[${index}]` }));
    assertDistinct(named);
    const json = requestJson(gatewayV1.PretrainRequest, request);
    return startOperation(operations, { kind: "pretrain", project, requestId, json }, async () => {
      const entries = await entriesOfNamed(bags, project, named, signal);
      assertSameRegions(entries, mixer.levelCount ?? USUAL_LEVELS);
      assertOnePerSlide(entries);
    });
  };
}

/** One mixer reads regions of one shape: as many magnifications, and tiles of one width. */
function assertSameRegions(entries: readonly BagEntry[], levels: number): void {
  const width = entries[0]?.ref.d;
  for (const [index, { metadata, ref }] of entries.entries()) {
    const field = `bags[${index}]`;
    if (metadata.levelCount === undefined)
      throw refused(field, "is of one magnification; BuildRegions makes region bags");
    if (metadata.levelCount !== levels) {
      throw refused(field, `has ${metadata.levelCount} magnifications; ${levels} are wanted`);
    }
    if (ref.d !== width) throw refused(field, `has ${ref.d} features per tile; bags[0] has ${width}`);
  }
}

/** A slide with two bags would count twice, and might be validated on itself. Bags that name no slide are slides of their own. */
function assertOnePerSlide(entries: readonly BagEntry[]): void {
  const fieldOfSlide = new Map<string, string>();
  for (const [index, { metadata }] of entries.entries()) {
    const { slideId } = metadata;
    if (slideId === undefined) continue;
    const field = `bags[${index}]`;
    const other = fieldOfSlide.get(slideId);
    if (other !== undefined) {
      const details = { field, other, precondition: "ONE_PER_SLIDE", subject: field };
      const message = `${field} is of the same slide as ${other}; one region bag of each slide is wanted`;
      throw new DomainError("PRECONDITION_FAILED", message, { details });
    }
    fieldOfSlide.set(slideId, field);
  }
}

function refused(field: string, problem: string): DomainError {
  const details = { field, precondition: "REGION_BAG", subject: field };
  return new DomainError("PRECONDITION_FAILED", `${field} ${problem}`, { details });
}
