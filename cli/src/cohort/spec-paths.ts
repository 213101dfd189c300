import { type commonV1, type MessageField, messageFields } from "@parfocal/protocol";

/** A value of a training specification by the name that people give it. */
export interface SpecPath {
  /** E.g. `reembed.crmsaHeads`. */
  readonly path: string;
  /** Where it is in the JSON of the contract, e.g. `architecture`, `reembedder`, `r2t`, `crmsaHeads`. */
  readonly keys: readonly string[];
  readonly field: MessageField;
}

const PACKAGE = "parfocal.common.v1";

/** The messages of a training specification beside task and architecture, by the names of their fields: `recipe`, `split`, … */
export const SPEC_SECTIONS: readonly string[] = messageFields(`${PACKAGE}.TrainingSpec`)
  .filter(({ name, value }) => value.kind === "message" && name !== "task" && name !== "architecture")
  .map(({ name }) => name);

/**
 * Every value of `spec` that can be named, in the order of the contract: of the re-embedder and the head that it has, then of the
 * other sections. A message that may be absent stands before its own values.
 */
export function specPaths({ architecture }: Pick<commonV1.TrainingSpec, "architecture">): readonly SpecPath[] {
  const reembedder = architecture?.reembedder?.kind?.$case;
  const head = architecture?.head?.kind?.$case;
  const at = ["architecture"];
  return [
    ...below("reembed", [...at, "reembedder", reembedder ?? ""], typeOf("Reembedder", reembedder)),
    ...below("head", [...at, "head", head ?? ""], typeOf("Head", head)),
    ...below("head.trunk", [...at, "head", "trunk"], typeOf("Head", "trunk")),
    ...below("", at, `${PACKAGE}.Architecture`).filter(({ path }) => path === "standardise" || path === "singleLogit"),
    ...SPEC_SECTIONS.flatMap((name) => below(name, [name], typeOf("TrainingSpec", name))),
  ];
}

/** The options of tasks: `task.survival.bins`, `task.regression.loss`, … Which of them a task has is its kind's matter. */
export function taskPaths(): readonly SpecPath[] {
  const options = messageFields(`${PACKAGE}.Task`).filter(({ value }) => value.kind === "message");
  return options.flatMap(({ name }) => below(`task.${name}`, ["task", name], typeOf("Task", name)));
}

/** Every value of a pretraining that can be named, in the order of the contract: `mixer.width`, `masked.removalRatio`, … */
export function pretrainPaths(): readonly SpecPath[] {
  return below("", [], `${PACKAGE}.PretrainSpec`);
}

/** Full name of the message that a field of a message of ours holds. */
export function typeOf(message: string, name: string | undefined): string | undefined {
  const value = messageFields(`${PACKAGE}.${message}`).find((field) => field.name === name)?.value;
  return value?.kind === "message" ? value.type : undefined;
}

function below(prefix: string, keys: readonly string[], type: string | undefined): SpecPath[] {
  if (type === undefined) return [];
  return messageFields(type).flatMap((field) => {
    const path = prefix === "" ? field.name : `${prefix}.${field.name}`;
    const here: SpecPath = { path, keys: [...keys, field.name], field };
    if (field.value.kind !== "message") return [here];
    return [here, ...below(path, here.keys, field.value.type)];
  });
}

/** The words for an enum's values: `BRANCHES_PER_CLASS` of `BRANCHES_UNSPECIFIED` and so on is `per-class`. */
export function enumWords(names: readonly string[]): ReadonlyMap<string, string> {
  const [unspecified = "", ...others] = names;
  const prefix = unspecified.slice(0, unspecified.lastIndexOf("UNSPECIFIED"));
  return new Map(others.map((name) => [name.slice(prefix.length).toLowerCase().replaceAll("_", "-"), name]));
}
