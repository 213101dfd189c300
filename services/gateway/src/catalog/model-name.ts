import { parseAnyResourceName } from "@parfocal/protocol";
import type { ModelSelector } from "./model-catalog.ts";

/** Which model of which project a name means. */
export function parseModelName(
  name: string,
  field = "model",
): { readonly project: string; readonly model: string; readonly selector: ModelSelector } {
  const parsed = parseAnyResourceName(["model", "modelVersion", "modelAlias"], name, field);
  const { project, model } = parsed;
  switch (parsed.kind) {
    case "model":
      return { project, model, selector: { kind: "default" } };
    case "modelVersion":
      return { project, model, selector: { kind: "version", version: parsed.version } };
    case "modelAlias":
      return { project, model, selector: { kind: "alias", alias: parsed.alias } };
  }
}
