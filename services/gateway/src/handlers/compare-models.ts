import { DomainError } from "@parfocal/errors";
import { type aggregateV1, commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { BagEntry } from "../catalog/bag-catalog.ts";
import { parseModelName } from "../catalog/model-name.ts";
import { patientKeyOf } from "../catalog/patient-key.ts";
import { compareApart } from "../compare/compare-apart.ts";
import { comparedCases } from "../compare/compared-cases.ts";
import type { GatewayDeps } from "../deps.ts";
import { bagReferenceFromRef } from "../wire.ts";
import { assertDistinct, assertLength, entriesOfNamed } from "./named-bags.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate">;

const MAX_MODELS = 32;
const MAX_BAGS = 10_000;

/**
 * `CompareModels`: has every version evaluated on the same labelled bags, one after the other, and compares what they say in
 * pairs. Nothing of it is stored.
 */
export function createCompareModels(deps: Deps) {
  return async (
    request: gatewayV1.CompareModelsRequest,
    context: HandlerContext,
  ): Promise<gatewayV1.CompareModelsResponse> => {
    const { versions, task, project } = await versionsOf(deps, request.names, context.signal);
    const bags = await labelledBags(deps, project, request, context.signal);
    const evaluations: aggregateV1.EvaluateResponse[] = [];
    for (const { reference } of versions) {
      evaluations.push(await deps.aggregate.evaluate({ model: reference, bags }, { parent: context }));
    }
    return {
      names: versions.map(({ name }) => name),
      evaluations: evaluations.flatMap(({ evaluation }) => evaluation ?? []),
      comparisons: await compareApart(task, comparedCases(bags, evaluations), context.signal),
    };
  };
}

interface ComparedVersions {
  readonly versions: readonly gatewayV1.Model[];
  readonly task: commonV1.Task;
  readonly project: string;
}

/** Different versions of one project that decide the same task. */
async function versionsOf({ models }: Deps, names: readonly string[], signal: AbortSignal): Promise<ComparedVersions> {
  assertLength("names", names, 2, MAX_MODELS);
  const parsed = names.map((name, i) => ({ ...parseModelName(name, `names[${i}]`), field: `names[${i}]` }));
  const project = parsed[0]?.project ?? "";
  const foreign = parsed.find((each) => each.project !== project);
  if (foreign !== undefined) {
    const { field } = foreign;
    throw new DomainError("FORBIDDEN", `${field} belongs to another project than names[0]`, { details: { field } });
  }
  const versions = await Promise.all(
    parsed.map(({ model, selector }) => models.get(project, model, selector, { signal })),
  );
  const task = versions[0]?.task;
  if (task === undefined) throw unlike("names[0]", "decides nothing");
  versions.forEach((version, i) => {
    if (!isSameTask(version.task, task)) throw unlike(`names[${i}]`, "decides another task than names[0]");
    const before = versions.findIndex(({ name }) => name === version.name);
    if (before < i) throw unlike(`names[${i}]`, `is the same version as names[${before}]`);
  });
  return { versions, task, project };
}

function unlike(field: string, what: string): DomainError {
  return new DomainError("PRECONDITION_FAILED", `${field} ${what}; paired tests need different versions of one task`, {
    details: { field, precondition: "SAME_TASK", subject: field },
  });
}

function isSameTask(a: commonV1.Task | undefined, b: commonV1.Task): boolean {
  return a?.kind === b.kind && a.classes.length === b.classes.length && a.classes.every((c, i) => c === b.classes[i]);
}

/** The bags with their labels as the stage takes them. */
async function labelledBags(
  { store, bags }: Deps,
  project: string,
  request: gatewayV1.CompareModelsRequest,
  signal: AbortSignal,
): Promise<aggregateV1.LabelledBag[]> {
  const own = request.bags.map((name, i) => ({ name, field: `bags[${i}]`, given: undefined }));
  const labelled = request.labelledBags.map((given, i) => ({
    name: given.bag,
    field: `labelled_bags[${i}].bag`,
    given,
  }));
  const named = [...own, ...labelled];
  assertLength("labelled_bags", named, 1, MAX_BAGS);
  assertDistinct(named);
  const entries = await entriesOfNamed(bags, project, named, signal);
  return named.map(({ field, given }, i) => {
    const entry = entries[i];
    if (entry === undefined) throw new DomainError("INTERNAL", "a bag of the request lost its entry");
    const label = given === undefined ? labelOfFile(entry, field) : labelGiven(given, entry);
    return { ...label, bag: bagReferenceFromRef(store, entry.ref) };
  });
}

type Label = Omit<aggregateV1.LabelledBag, "bag">;

function labelGiven(given: gatewayV1.LabelledBag, { metadata }: BagEntry): Label {
  const { labels, unknownLabels, part, groupId, values, survival } = given;
  const patientKey = patientKeyOf(metadata, given);
  return { labels, unknownLabels, part, groupKey: groupId, values, survival, patientKey };
}

function labelOfFile({ metadata }: BagEntry, field: string): Label {
  const { sourceLabel = "" } = metadata;
  if (sourceLabel === "") {
    const message = `${field} brought no label with its file; name it in labelled_bags`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field } });
  }
  const none = {
    unknownLabels: [],
    part: commonV1.Part.PART_UNSPECIFIED,
    groupKey: "",
    values: {},
    survival: undefined,
  };
  return { ...none, labels: [sourceLabel], patientKey: patientKeyOf(metadata) };
}
