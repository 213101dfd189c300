import { resourceName } from "@parfocal/protocol";
import type { Json } from "@parfocal/workflows";

/** Kinds that make the version of a model whose id is that of the operation. */
const MAKES_A_VERSION: ReadonlySet<string> = new Set(["train", "pretrain", "import-model"]);
/** Kinds that enter bags into the project. */
const MAKES_BAGS: ReadonlySet<string> = new Set(["import", "build-regions"]);

/**
 * Names what an operation makes, by its kind and its request in canonical JSON: the version of a model, the project that gets bags, the
 * model that keeps the folds of a cross-validation, and else the operation itself, under which its files lie.
 */
export function targetOf(
  kind: string,
  project: string,
  { modelId, keepAs }: Readonly<Record<string, Json>>,
): (operationId: string) => string {
  return (operation) => {
    if (MAKES_A_VERSION.has(kind)) {
      return resourceName("modelVersion", { project, model: String(modelId), version: operation });
    }
    if (MAKES_BAGS.has(kind)) return resourceName("project", { project });
    if (typeof keepAs === "string" && keepAs !== "") return resourceName("model", { project, model: keepAs });
    return resourceName("operation", { project, operation });
  };
}
