import { DomainError } from "@parfocal/errors";
import { gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import { domainErrorFromStatus } from "@parfocal/runtime";
import type { Output } from "../output/output.ts";
import type { GatewayClients } from "./clients.ts";

/** The metadata of an operation. */
export function metadataOf(operation: googleLongrunning.Operation): gatewayV1.OperationMetadata {
  return gatewayV1.OperationMetadata.decode(operation.metadata?.value ?? new Uint8Array());
}

/** The error that an operation ended with, in our codes. */
export function operationError(operation: googleLongrunning.Operation): DomainError | undefined {
  return operation.result?.$case === "error" ? domainErrorFromStatus(operation.result.value) : undefined;
}

/** How an operation is followed. */
export interface FollowOptions {
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Whether an interruption cancels the operation. */
  readonly isOwner: boolean;
}

/** Streams that may end before the operation is done (a gateway that drains) are taken up again this many times in a row. */
const MAX_EMPTY_STREAMS = 5;

/**
 * Follows an operation to its end, showing its progress; gives its last state. Interrupted, it cancels the operation when it is
 * ours, waits until it is, and throws.
 *
 * @throws {DomainError} the operation's own error; `CANCELLED` when interrupted; `UNREACHABLE` when the gateway went away.
 */
export async function followOperation(
  clients: GatewayClients,
  name: string,
  options: FollowOptions,
): Promise<googleLongrunning.Operation> {
  const { output, signal, isOwner } = options;
  try {
    const done = await watchToEnd(clients, name, output, signal);
    const error = operationError(done);
    if (error !== undefined) throw error;
    return done;
  } catch (error) {
    if (!signal.aborted || !isOwner) throw error;
    await clients.operations.cancelOperation({ name });
    await clients.operations.waitOperation({ name });
    throw error;
  }
}

async function watchToEnd(
  { watching }: GatewayClients,
  name: string,
  output: Output,
  signal: AbortSignal,
): Promise<googleLongrunning.Operation> {
  const shown: { progress?: ReturnType<Output["progress"]> } = {};
  let afterSequence = 0n;
  try {
    for (let nEmpty = 0; nEmpty < MAX_EMPTY_STREAMS; nEmpty++) {
      for await (const { operation } of watching.watchOperation({ name, afterSequence }, { signal })) {
        if (operation === undefined) continue;
        nEmpty = 0;
        const metadata = metadataOf(operation);
        afterSequence = metadata.sequence;
        if (operation.done) return operation;
        output.record({ operation: name, ...progressRecord(metadata) });
        shown.progress ??= output.progress(metadata.verb);
        shown.progress.update(progressState(metadata));
      }
    }
  } finally {
    shown.progress?.end();
  }
  throw new DomainError("UNREACHABLE", "the gateway ended the watch before the operation was done");
}

/** What programs are told of a running operation. */
export function progressRecord(metadata: gatewayV1.OperationMetadata): object {
  const { verb, phase, fraction, etaS, counters, sequence } = metadata;
  return { verb, phase, fraction: fraction ?? null, etaS: etaS ?? null, counters, sequence };
}

/** Counters that people are shown, with the names they know. */
const SHOWN_COUNTERS = [
  ["train_loss", "loss"],
  ["validation_loss", "validation loss"],
  ["validation_auroc", "AUROC"],
  ["validation_quadratic_kappa", "kappa"],
  ["validation_r2", "R²"],
  ["validation_c_index", "C-index"],
  ["contrastive_loss", "contrastive"],
] as const;

function progressState({ phase, fraction, etaS, counters }: gatewayV1.OperationMetadata) {
  const figures = SHOWN_COUNTERS.flatMap(([key, title]) => {
    const value = counters[key];
    return value === undefined ? [] : [`${title} ${value.toFixed(3)}`];
  });
  return {
    ...(fraction === undefined ? {} : { fraction }),
    ...(etaS === undefined ? {} : { etaS }),
    text: [phase, ...figures, ...levelsOf(counters), ...countsOf(counters)].join(", "),
  };
}

type Counters = gatewayV1.OperationMetadata["counters"];

/** Losses of the magnifications of a pretraining, coarsest first; one without removed tiles has none. */
function levelsOf(counters: Counters): string[] {
  const levels = Object.keys(counters)
    .filter((key) => key.startsWith("loss_level_"))
    .sort();
  return levels.length === 0 ? [] : [`levels ${levels.map((key) => (counters[key] ?? 0).toFixed(3)).join(" ")}`];
}

/** How fast a pretraining is, and how many items of a build were refused or of a batch failed. */
function countsOf({ regions_per_s: rate, loader_wait: wait, done, total, refused, failed }: Counters): string[] {
  return [
    ...(rate === undefined ? [] : [`${rate.toFixed(1)} regions/s`]),
    ...(wait === undefined ? [] : [`waiting ${Math.round(100 * wait)} %`]),
    ...(total === undefined ? [] : [`${done ?? 0} of ${total}`]),
    ...(refused ? [`${refused} refused`] : []),
    ...(failed ? [`${failed} failed`] : []),
  ];
}
