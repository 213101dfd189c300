/**
 * @file Manifests call some values by other names than the contract does: a trunk's lie beside those of the pooling, options of tasks
 * beside their kinds, and words are shorter.
 */

/** By the head of the contract: its values that manifests call otherwise. */
const HEAD_NAMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  abmil: { dropout: "attentionDropout", activation: "attentionActivation", bias: "attentionBias" },
  max: { over: "level" },
};

/** The words of manifests for those of the contract. */
const WORDS: Readonly<Record<string, string>> = {
  single: "shared",
  ce: "cross-entropy",
  svm: "smooth-svm",
  "max-f1": "f1",
};

const RECIPE_GROUPS: ReadonlySet<string> = new Set(["optimiser", "schedule", "earlyStopping"]);

/**
 * The name that the service's reader gives to the value of a specification at `path`, as its errors have it: `head.hidden` for
 * `head.trunk.hidden`, `training.epochs` for `recipe.epochs`.
 *
 * @param path As `--set` takes it.
 * @param head The head's name in the contract.
 */
export function resolvedNameOf(path: string, head: string | undefined): string {
  const [group = "", name = "", ...rest] = path.split(".");
  if (name === "") return `model.${group}`;
  if (group === "task") return `task.${rest.join(".")}`;
  if (group === "head" && name === "trunk") return `head.${rest.join(".")}`;
  if (group === "head") return `head.${HEAD_NAMES[head ?? ""]?.[name] ?? name}`;
  if (group === "recipe") return RECIPE_GROUPS.has(name) ? [name, ...rest].join(".") : `training.${name}`;
  return path;
}

/** The names of training's own values in the errors of some checks, which leave out what they belong to. */
const BARE_NAMES: Readonly<Record<string, string>> = { selectionMetric: "earlyStopping.metric" };

/** The name that {@link resolvedNameOf} gives to a value that an error calls `name`, with or without its group. */
export function groupedName(name: string): string {
  return name === "" || name.includes(".") ? name : (BARE_NAMES[name] ?? `training.${name}`);
}

/** The contract's word for a word of a manifest. */
export function contractWord(word: string): string {
  return WORDS[word] ?? word;
}

/** The value of a resolved specification by the name that {@link resolvedNameOf} gives. */
export function resolvedValue(resolved: object, name: string): unknown {
  const [group = "", ...rest] = name.split(".");
  const json = resolved as Readonly<Record<string, object>> & { readonly model: Readonly<Record<string, object>> };
  const top = group === "training" || group === "model" ? undefined : (json.model[group] ?? json[group]);
  const from = group === "model" ? json.model : group === "training" ? json : top;
  return rest.reduce<unknown>((at, part) => (at as Readonly<Record<string, unknown>> | undefined)?.[part], from);
}
