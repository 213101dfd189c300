import { type googleLongrunning, msFromTimestamp } from "@parfocal/protocol";
import { followOperation, metadataOf, operationError, progressRecord } from "../client/follow-operation.ts";
import { collectPages } from "../client/list-all.ts";
import { operationNameOf } from "../client/operation-name.ts";
import { EXIT_CODES, type ExitCode } from "../exit-codes.ts";
import type { CommandContext } from "../run-command.ts";
import { modelOf } from "./train.ts";

type Operation = googleLongrunning.Operation;

const PAGE_SIZE = 1000;

/** `operations list`. */
export async function listOperations(context: CommandContext, filter: string): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const { clients } = await context.connect();
  const operations = await collectPages(async (pageToken) => {
    const request = { name: parent, filter, pageSize: PAGE_SIZE, pageToken };
    const page = await clients.operations.listOperations(request, { signal });
    return { items: page.operations, nextPageToken: page.nextPageToken };
  });
  for (const operation of operations) output.record(operationRecord(operation));
  const rows = operations.map((operation) => {
    const { verb, phase, createTime } = metadataOf(operation);
    const created = createTime === undefined ? "" : new Date(msFromTimestamp(createTime)).toISOString().slice(0, 19);
    return [operation.name.slice(parent.length + 1), verb, stateOf(operation), phase, created];
  });
  const titles = ["operation", "verb", "state", "phase", "created"].map((title) => ({ title }));
  if (rows.length > 0) output.table(titles, rows);
  else output.line("no operations");
  return EXIT_CODES.ok;
}

/** `operations get`. */
export async function getOperation(context: CommandContext, named: string): Promise<ExitCode> {
  const { clients } = await context.connect();
  const operation = await clients.operations.getOperation(
    { name: operationNameOf(context.parent, named) },
    { signal: context.signal },
  );
  showOperation(context, operation);
  return EXIT_CODES.ok;
}

/** `operations watch`: an interruption leaves the operation running. */
export async function watchOperation(context: CommandContext, named: string): Promise<ExitCode> {
  const { output, signal } = context;
  const { clients } = await context.connect();
  const done = await followOperation(clients, operationNameOf(context.parent, named), {
    output,
    signal,
    isOwner: false,
  });
  showOperation(context, done);
  return EXIT_CODES.ok;
}

/** `operations wait`. */
export async function waitOperation(context: CommandContext, named: string): Promise<ExitCode> {
  const { clients } = await context.connect();
  const name = operationNameOf(context.parent, named);
  let operation: Operation;
  // One call waits as long as the gateway lets it; a training may take longer.
  do
    operation = await clients.operations.waitOperation(
      { name, timeout: undefined },
      { signal: context.signal, timeoutMs: WAIT_MS },
    );
  while (!operation.done);
  showOperation(context, operation);
  return operationError(operation) === undefined ? EXIT_CODES.ok : EXIT_CODES.failed;
}

/** The longest deadline that a gateway takes unless it is told otherwise, less the way there. */
const WAIT_MS = 3_590_000;

/** `operations cancel`. */
export async function cancelOperation(context: CommandContext, named: string): Promise<ExitCode> {
  const { output, signal } = context;
  const { clients } = await context.connect();
  const name = operationNameOf(context.parent, named);
  await clients.operations.cancelOperation({ name }, { signal });
  output.record({ cancelled: name });
  output.line(`asked ${name} to stop`);
  return EXIT_CODES.ok;
}

/** `operations delete`. */
export async function deleteOperation(context: CommandContext, named: string): Promise<ExitCode> {
  const { output, signal } = context;
  const { clients } = await context.connect();
  const name = operationNameOf(context.parent, named);
  await clients.operations.deleteOperation({ name }, { signal });
  output.record({ deleted: name });
  output.line(`deleted ${name}`);
  return EXIT_CODES.ok;
}

function stateOf(operation: Operation): string {
  if (!operation.done) return metadataOf(operation).cancelRequested ? "stopping" : "running";
  return operationError(operation)?.code ?? "done";
}

function operationRecord(operation: Operation): object {
  const error = operationError(operation);
  const isTraining = metadataOf(operation).verb === "train" && operation.result?.$case === "response";
  return {
    operation: operation.name,
    done: operation.done,
    ...progressRecord(metadataOf(operation)),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message } }),
    ...(isTraining ? { model: modelOf(operation).name } : {}),
  };
}

function showOperation({ output }: CommandContext, operation: Operation): void {
  const { verb, phase, fraction, counters } = metadataOf(operation);
  const error = operationError(operation);
  output.record(operationRecord(operation));
  output.line(`${operation.name}: ${verb}, ${stateOf(operation)}`);
  if (phase !== "") output.line(`${phase}${fraction === undefined ? "" : ` (${Math.round(100 * fraction)} %)`}`);
  for (const [name, value] of Object.entries(counters))
    output.line(`  ${name.padEnd(18)}${Number(value.toPrecision(5))}`);
  if (error !== undefined) output.line(`${error.code}: ${error.message}`);
  else if (operation.done && verb === "train") output.line(`model ${modelOf(operation).name}`);
}
