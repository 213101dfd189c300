import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import { assertRetriable, assertTogether, resolveModel } from "../batch/plan-batch.ts";
import { keys } from "../catalog/keys.ts";
import { parseModelName } from "../catalog/model-name.ts";
import type { GatewayDeps } from "../deps.ts";
import type { SourceRoots } from "../imports/source-roots.ts";
import { assertLength } from "./named-bags.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

const MAX_MODELS = 16;

type Deps = Pick<GatewayDeps, "models" | "operations" | "store">;

/** `BatchPredict`: refuses at once what could not work later, then starts the workflow. What is wrong with rows is said row by row. */
export function createBatchPredict(deps: Deps, roots: SourceRoots) {
  return async (
    request: gatewayV1.BatchPredictRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    const { requestId } = request;
    const json = requestJson(gatewayV1.BatchPredictRequest, request);
    return startOperation(deps.operations, { kind: "batch", project, requestId, json }, () =>
      request.retryOf === ""
        ? assertNewBatch(deps, project, request, roots, signal)
        : assertRetry(deps, project, request, signal),
    );
  };
}

async function assertNewBatch(
  deps: Deps,
  project: string,
  request: gatewayV1.BatchPredictRequest,
  roots: SourceRoots,
  signal: AbortSignal,
): Promise<void> {
  assertLength("models", request.models, 1, MAX_MODELS);
  const found = await Promise.all(
    request.models.map(async (name, at) => {
      const field = `models[${at}]`;
      assertSameProject(field, project, parseModelName(name, field).project);
      return resolveModel(deps, name, field, signal);
    }),
  );
  const names = found.map(({ name }) => name);
  const repeated = names.findIndex((name, at) => names.indexOf(name) !== at);
  if (repeated >= 0) {
    const message = `models[${repeated}] means the same version as models[${names.indexOf(names[repeated] ?? "")}]`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "models" } });
  }
  if (request.ensemble) assertTogether(found);
  await assertManifest(deps, project, request, roots, signal);
}

async function assertManifest(
  { store }: Pick<Deps, "store">,
  project: string,
  { manifestUri, manifestUpload }: gatewayV1.BatchPredictRequest,
  roots: SourceRoots,
  signal: AbortSignal,
): Promise<void> {
  if ((manifestUri === "") === (manifestUpload === "")) {
    const given = manifestUri === "" ? "neither is" : "both are";
    const details = { field: "manifest_uri" };
    throw new DomainError("INVALID_ARGUMENT", `give manifest_uri or manifest_upload; ${given} given`, { details });
  }
  if (manifestUri !== "") {
    roots.resolve(manifestUri);
    return;
  }
  const parsed = parseResourceName("upload", manifestUpload, "manifest_upload");
  assertSameProject("manifest_upload", project, parsed.project);
  await store.head(keys.upload(project, parsed.upload), { signal });
}

/** A batch may be tried again when it has ended, however it did. */
async function assertRetry(
  { operations, store }: Pick<Deps, "operations" | "store">,
  project: string,
  request: gatewayV1.BatchPredictRequest,
  signal: AbortSignal,
): Promise<void> {
  const { retryOf, models, manifestUri, manifestUpload } = request;
  const details = { field: "retry_of" };
  assertSameProject("retry_of", project, parseResourceName("operation", retryOf, "retry_of").project);
  if (models.length > 0 || manifestUri !== "" || manifestUpload !== "") {
    const message = "retry_of has its models and manifest already; give neither beside it";
    throw new DomainError("INVALID_ARGUMENT", message, { details });
  }
  const { kind, outcome } = await operations.get(retryOf);
  if (kind !== "batch") {
    throw new DomainError("INVALID_ARGUMENT", `retry_of is an operation of kind ${kind}, not a batch`, { details });
  }
  if (outcome.kind !== "running") return assertRetriable({ store }, project, request, signal);
  throw new DomainError("PRECONDITION_FAILED", "retry_of still runs; cancel it or wait for its end", { details });
}

function assertSameProject(field: string, project: string, other: string): void {
  if (other === project) return;
  throw new DomainError("FORBIDDEN", `${field} belongs to another project`, { details: { field } });
}
