import { DOMAIN_ERROR_CODES, DomainError } from "@parfocal/errors";
import type { Failure } from "./failure.ts";
import type { Json } from "./workflow.ts";

/** Where a step stands among those that its workflow asked for. */
export interface StepPlace {
  /** 1 for the first step asked for. */
  readonly ordinal: number;
  /** Whether no two steps had run at once until it was asked for: only then its ordinal must be the same in a replay. */
  readonly isSequential: boolean;
  /** Stands for the name. */
  readonly slug: string;
}

/** How a step ended. A failure is journaled too: a workflow that handles it must meet it again in a replay. */
type StepResult = { readonly kind: "succeeded"; readonly value: Json } | ({ readonly kind: "failed" } & Failure);

/** One finished step. */
export type JournalEntry = {
  readonly name: string;
  /** Why each earlier try failed, in order. */
  readonly retriedAfter: readonly { readonly code: string; readonly message: string }[];
  readonly result: StepResult;
};

const STEP_KEY = /(?:^|\/)(\d{6,})([sc])-([^/]+)\.json$/;

/** Last part of the key of a step: `000002s-train-fold-1.{digest}.json`; `s` sequential, `c` concurrent. */
export function stepKey(place: StepPlace): string {
  return `${String(place.ordinal).padStart(6, "0")}${place.isSequential ? "s" : "c"}-${place.slug}.json`;
}

/** Inverse of {@link stepKey}, whatever folder stands before it. @throws {DomainError} `CORRUPT` for another key. */
export function parseStepKey(key: string): StepPlace {
  const [, ordinal, order, slug] = STEP_KEY.exec(key) ?? [];
  if (ordinal === undefined || slug === undefined) {
    throw new DomainError("CORRUPT", "a journal holds an object that is no step");
  }
  return { ordinal: Number(ordinal), isSequential: order === "s", slug };
}

/** @throws {DomainError} `CORRUPT` when `value` is no journal entry. */
export function parseJournalEntry(value: unknown): JournalEntry {
  const entry = value as Partial<JournalEntry> | null;
  if (typeof entry?.name !== "string" || !Array.isArray(entry.retriedAfter) || !isResult(entry.result)) {
    throw new DomainError("CORRUPT", "the journal entry of a finished step cannot be read");
  }
  return { name: entry.name, retriedAfter: entry.retriedAfter, result: entry.result };
}

function isResult(value: unknown): value is StepResult {
  const result = value as Partial<Record<string, unknown>> | null | undefined;
  if (result?.kind === "succeeded") return result.value !== undefined;
  if (result?.kind !== "failed" || typeof result.message !== "string") return false;
  return DOMAIN_ERROR_CODES.some((code) => code === result.code) && typeof result.details === "object";
}
