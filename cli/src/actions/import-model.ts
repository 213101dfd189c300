import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import { followOperation } from "../client/follow-operation.ts";
import { uploadCheckpoint } from "../client/upload-checkpoint.ts";
import { TASK_KINDS, type TaskName } from "../cohort/infer-task.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { expectationRecord, expectationText } from "../output/bag-expectations.ts";
import { modelConfigRows } from "../output/model-config.ts";
import { formatBytes } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";
import { modelOf } from "./train.ts";

/** Options of `models import`. */
export interface ImportModelOptions {
  readonly name: string;
  readonly set?: readonly string[];
  readonly task?: TaskName;
  readonly classes?: readonly string[];
  readonly encoder?: string;
}

/** `models import FILE`: uploads a checkpoint, or names one that the gateway can read, and shows what was read of it. */
export async function importModel(
  context: CommandContext,
  file: string,
  options: ImportModelOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const settings = settingsFrom(options.set ?? []);
  const task = taskFrom(options);
  const isUri = /^(?:s3|file):\/\//u.test(file);
  if (!isUri && (await stat(file).catch(() => undefined))?.isFile() !== true)
    throw new UsageError(`there is no file ${file}`);
  const { clients } = await context.connect();
  const source = isUri ? { uri: file, upload: "" } : { uri: "", upload: await upload(context, file) };
  const { name: modelId, encoder = "" } = options;
  const request = { parent, modelId, ...source, settings, task, encoder, requestId: randomUUID() };
  const operation = await clients.models.importModel(request, { signal });
  showModel(context, modelOf(await followOperation(clients, operation.name, { output, signal, isOwner: true })));
  return EXIT_CODES.ok;
}

async function upload({ output, parent, signal, connect }: CommandContext, file: string): Promise<string> {
  const { clients } = await connect();
  const progress = output.progress("uploading");
  let sentBytes = 0;
  try {
    return await uploadCheckpoint(clients, file, {
      parent,
      signal,
      onBytes(bytes, totalBytes) {
        sentBytes += bytes;
        const text = `${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`;
        progress.update({ fraction: sentBytes / totalBytes, text });
      },
    });
  } finally {
    progress.end();
  }
}

function settingsFrom(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text): [string, string] => {
    const [, name, value] = /^([^=\s]+)=(.*)$/su.exec(text) ?? [];
    if (name !== undefined && value !== undefined) return [name, value];
    throw new UsageError(`--set "${text}" is not name=value`);
  });
  return Object.fromEntries(pairs);
}

function taskFrom({ task, classes }: ImportModelOptions): commonV1.Task | undefined {
  if (classes === undefined) {
    if (task === undefined) return undefined;
    throw new UsageError("--task needs --classes: the names in the order of the checkpoint's outputs");
  }
  const kind = task === undefined ? commonV1.Task_Kind.KIND_UNSPECIFIED : TASK_KINDS[task];
  return { kind, classes: [...classes] };
}

function showModel({ output }: CommandContext, model: gatewayV1.Model): void {
  const { name, source, reembedder, head, featureDim, parameterCount, task } = model;
  const settings = source?.settings ?? [];
  output.record({
    model: name,
    layout: source?.layout ?? "",
    checkpoint: source?.sha256 ?? "",
    settings,
    reembedder,
    head,
    features: featureDim,
    expects: expectationRecord(model.expects),
    parameters: parameterCount,
    classes: task?.classes ?? [],
    config: JSON.parse(model.configJson) as unknown,
  });
  const layers = reembedder === "" ? head : `${reembedder}, then ${head}`;
  output.line(
    `read as ${source?.layout ?? ""}: ${layers}, ${featureDim} features, ${String(parameterCount)} parameters`,
  );
  const bags = expectationText(model.expects);
  if (bags !== "") output.line(`takes bags with ${bags}`);
  output.line();
  if (settings.length > 0) {
    const rows = settings.map(({ name: setting, value, isDefault }) => [
      setting,
      value,
      isDefault ? "default" : "given",
    ]);
    output.table([{ title: "setting" }, { title: "taken" }, { title: "from" }], rows);
    output.line();
  }
  output.table([{ title: "architecture" }, { title: "value" }], modelConfigRows(model.configJson));
  output.line();
  output.line(`model ${name}`);
}
