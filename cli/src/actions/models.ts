import { type commonV1, type gatewayV1, msFromTimestamp, resourceName } from "@parfocal/protocol";
import { findModel } from "../client/find-model.ts";
import { listAllModels } from "../client/list-all.ts";
import { modelNameOf } from "../client/model-name.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { expectationRecord, expectationText } from "../output/bag-expectations.ts";
import { evaluationRecord, showEvaluations } from "../output/evaluation-table.ts";
import { modelConfigRows } from "../output/model-config.ts";
import type { CommandContext } from "../run-command.ts";

/** `models list [MODEL]`. */
export async function listModels(context: CommandContext, model: string | undefined): Promise<ExitCode> {
  const { output, project, parent, signal } = context;
  const { clients } = await context.connect();
  const of = model === undefined ? parent : resourceName("model", { project, model });
  const found = await listAllModels(clients, of, signal);
  for (const each of found) output.record(modelRecord(each));
  const rows = found.map((each) => [
    each.name.slice(parent.length + 1),
    each.head || "none",
    each.task?.classes.join(", ") ?? "",
    auroc(each.test ?? each.validation),
    createdAt(each),
  ]);
  const titles = ["model", "head", "classes", "AUROC", "created"].map((title) => ({ title }));
  if (rows.length > 0) output.table(titles, rows);
  else output.line("no models");
  return EXIT_CODES.ok;
}

/** `models get MODEL`. */
export async function getModel(context: CommandContext, text: string): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const { clients } = await context.connect();
  const model = await findModel(clients, parent, text, signal);
  const { history, pretraining, configJson, source } = model;
  const config = configJson === "" ? null : (JSON.parse(configJson) as unknown);
  output.record({ ...modelRecord(model), history, pretraining, config, source: source ?? null });
  const facts = [
    ["model", model.name],
    ["created", createdAt(model)],
    ["aliases", model.aliases.join(", ") || "none"],
    ["head", model.head || "none: it only re-embeds"],
    ["classes", model.task?.classes.join(", ") || "none"],
    ["features", `${model.featureDim}${model.encoder === "" ? "" : ` of ${model.encoder}`}`],
    ...(model.expects === undefined ? [] : [["bags", expectationText(model.expects) || "of any geometry"]]),
    ["parameters", String(model.parameterCount)],
    ["epochs", String(history.length)],
    ...(pretraining.length === 0 ? [] : [["updates", String(pretraining.at(-1)?.update)]]),
    ["re-embedder", model.reembedder || "none"],
    ...(model.source === undefined ? [] : [["made of", `a ${model.source.layout} checkpoint, ${model.source.sha256}`]]),
  ];
  for (const [name = "", value = ""] of facts) output.line(`${name.padEnd(12)}${value}`);
  output.line();
  const rows = modelConfigRows(configJson);
  if (rows.length > 0) {
    output.table([{ title: "architecture" }, { title: "value" }], rows);
    output.line();
  }
  showEvaluations(output, [
    { name: "validation", evaluation: model.validation },
    { name: "test", evaluation: model.test },
  ]);
  return EXIT_CODES.ok;
}

/** `models delete VERSION`. */
export async function deleteModel(context: CommandContext, text: string): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const name = modelNameOf(parent, text);
  if (!name.includes("/versions/")) throw new UsageError("name a version: MODEL/versions/…");
  const { clients } = await context.connect();
  await clients.models.deleteModel({ name }, { signal });
  output.record({ deleted: name });
  output.line(`deleted ${name}`);
  return EXIT_CODES.ok;
}

/** `models alias MODEL ALIAS`. */
export async function setAlias(
  context: CommandContext,
  model: string,
  alias: string,
  { version, remove }: { readonly version?: string; readonly remove?: boolean },
): Promise<ExitCode> {
  const { output, project, parent, signal } = context;
  if (remove === true && version !== undefined) throw new UsageError("--remove takes no --version");
  const { clients } = await context.connect();
  const name = resourceName("modelAlias", { project, model, alias });
  const versionName = async (): Promise<string> => {
    if (remove === true) return "";
    if (version !== undefined) return version.includes("/") ? version : `${parent}/models/${model}/versions/${version}`;
    const newest = resourceName("modelAlias", { project, model, alias: "latest" });
    return (await clients.models.getModel({ name: newest }, { signal })).model?.name ?? "";
  };
  const answer = await clients.models.setAlias({ name, version: await versionName() }, { signal });
  output.record({ alias: name, version: answer.model?.name ?? null });
  output.line(answer.model === undefined ? `removed ${name}` : `${name} -> ${answer.model.name}`);
  return EXIT_CODES.ok;
}

function modelRecord(model: gatewayV1.Model): object {
  const { name, reembedder, head, task, featureDim, encoder, parameterCount, aliases, validation, test, expects } =
    model;
  return {
    model: name,
    reembedder,
    head,
    classes: task?.classes ?? [],
    features: featureDim,
    encoder,
    expects: expectationRecord(expects),
    parameters: parameterCount,
    aliases,
    created: createdAt(model),
    validation: evaluationRecord(validation),
    test: evaluationRecord(test),
  };
}

function createdAt({ createTime }: gatewayV1.Model): string {
  return createTime === undefined ? "" : `${new Date(msFromTimestamp(createTime)).toISOString().slice(0, 19)}Z`;
}

function auroc(evaluation: commonV1.Evaluation | undefined): string {
  const found = evaluation?.metrics.find(({ name, label }) => /^(?:macro_)?auroc$/.test(name) && label === "");
  return found?.value === undefined ? "–" : found.value.toFixed(3);
}
