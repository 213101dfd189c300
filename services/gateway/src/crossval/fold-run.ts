import { DomainError, isDomainError } from "@parfocal/errors";
import { commonV1, type gatewayV1 } from "@parfocal/protocol";
import type { Json, WorkflowContext } from "@parfocal/workflows";
import type { GatewayDeps } from "../deps.ts";
import type { Tally } from "../workflows/tally.ts";
import { type DrawnFold, partOfLetter } from "./draw-folds.ts";

/** What cross-validations work with. */
export interface CrossValidateDeps extends Pick<GatewayDeps, "store" | "bags" | "models" | "aggregate"> {
  /** Folds that train at a time: one for each replica of the stage. */
  readonly concurrentFolds: number;
}

/** Catalog entries read at a time. */
export const CONCURRENT_READS = 32;

/** Which fold, both from 1. */
export type FoldId = Pick<DrawnFold, "repeat" | "fold">;

/** One run of the workflow: what its steps share in memory. */
export interface FoldRun {
  readonly deps: CrossValidateDeps;
  readonly context: WorkflowContext;
  readonly request: gatewayV1.CrossValidateRequest;
  readonly task: commonV1.Task;
  readonly start: Json;
  readonly tally: Tally;
  /** The parts of a fold; read from the store at the first call. */
  partsOf(fold: FoldId, signal: AbortSignal): Promise<DrawnFold>;
}

/** A fold with what came of it, as the journal has it. */
export interface TestedFold {
  readonly fold: FoldId;
  /** `PublishedEvent` in the contract's JSON. */
  readonly published: Json;
  /** `Evaluation` in the contract's JSON. */
  readonly evaluation: Json;
}

/** How a fold is called in steps, keys and versions. */
export function nameOfFold({ repeat, fold }: FoldId): string {
  return `r${repeat}-f${fold}`;
}

/** What `work` gives; an error of it says of which fold it is, unless the caller ended it. */
export async function namingFold<T>({ repeat, fold }: FoldId, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isDomainError(error) || error.code === "CANCELLED") throw error;
    const details = { ...error.details, repeat: String(repeat), fold: String(fold) };
    throw new DomainError(error.code, `repeat ${repeat}, fold ${fold}: ${error.message}`, { details, cause: error });
  }
}

/** Version under which a fold's model is kept. */
export function versionOfFold(operationId: string, fold: FoldId): string {
  return `${operationId}-${nameOfFold(fold)}`;
}

/** Places in the request of the bags that have a part in a fold. */
export function rowsOf({ parts }: DrawnFold, part: commonV1.Part): number[] {
  return [...parts].flatMap((letter, row) => (partOfLetter(letter) === part ? [row] : []));
}

/** The rule by which slides are decided together; unspecified: each by itself. */
export function groupRuleOf({ spec }: gatewayV1.CrossValidateRequest): commonV1.GroupRule_Kind {
  const { KIND_NONE, KIND_UNSPECIFIED } = commonV1.GroupRule_Kind;
  const kind = spec?.groups?.kind ?? KIND_UNSPECIFIED;
  return kind === KIND_NONE ? KIND_UNSPECIFIED : kind;
}
