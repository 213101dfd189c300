import { DomainError } from "@parfocal/errors";
import type { ObjectStore } from "@parfocal/store";
import { type JournalEntry, parseJournalEntry, stepKey } from "../journal-entry.ts";
import { encodeText, readJson } from "../json-object.ts";
import { operationPrefix } from "../operation-keys.ts";
import { forEachLimited } from "../operation-scope.ts";
import { slugFromName } from "../step-ledger.ts";
import type { Json } from "../workflow.ts";
import type { OperationExecution, StepEnd, WantedStep } from "./operation-protocol.ts";
import type { KnownEnd } from "./suspended-run.ts";

/**
 * What a workflow function was told, by turn, and the results of its steps. What a turn holds comes from the history, so
 * writing it again writes the same bytes, and no store has to decide between two writers.
 */
export interface TurnLog {
  /** Notes what is told in a turn. */
  write(turn: number, ends: readonly StepEnd[]): Promise<void>;
  /** What was told in the turns `from` to `to`, both included. @throws {DomainError} `CORRUPT` when one is missing. */
  read(from: number, to: number): Promise<StepEnd[][]>;
  /** Stores the end of a step's try under a key of its own, `nonce` apart from that of any other try, and gives it. */
  writeResult(step: WantedStep, nonce: string, entry: JournalEntry): Promise<string>;
  /** Reads the results of ends. */
  withResults(ends: readonly StepEnd[]): Promise<KnownEnd[]>;
}

/** The log of one execution of an operation. */
export function createTurnLog(store: ObjectStore, execution: OperationExecution): TurnLog {
  const prefix = `${operationPrefix(execution)}steps/${execution.executionId}/`;
  const turnKey = (turn: number): string => `${prefix}turns/${String(turn).padStart(6, "0")}.json`;
  const put = async (key: string, value: Json): Promise<void> => {
    await store.put(key, encodeText(JSON.stringify(value)), { contentType: "application/json" });
  };
  const readEntry = async (key: string, name: string): Promise<JournalEntry> => {
    const found = await readJson(store, key);
    const entry = found === undefined ? undefined : parseJournalEntry(found.value);
    if (entry?.name === name) return entry;
    throw new DomainError("CORRUPT", "the journal lost the entry of a finished step");
  };
  return {
    write: (turn, ends) => put(turnKey(turn), { version: 1, ends } as unknown as Json),
    async read(from, to) {
      const turns: StepEnd[][] = Array.from({ length: to - from + 1 }, () => []);
      await forEachLimited([...turns.keys()], async (i) => {
        turns[i] = parseTurn((await readJson(store, turnKey(from + i)))?.value);
      });
      return turns;
    },
    async writeResult(step, nonce, entry) {
      const place = { ...step, slug: slugFromName(step.name) };
      const key = `${prefix}${stepKey(place).replace(/json$/, `${nonce}.json`)}`;
      await put(key, entry);
      return key;
    },
    async withResults(ends) {
      const known: KnownEnd[] = [];
      await forEachLimited([...ends.keys()], async (i) => {
        const end = ends[i]!;
        known[i] = "failure" in end ? end : { ...end, value: resultOf(await readEntry(end.key, end.name)) };
      });
      return known;
    },
  };
}

function resultOf({ result }: JournalEntry): Json {
  if (result.kind === "succeeded") return result.value;
  throw new DomainError("CORRUPT", "the journal holds a failure where its history has a result");
}

function parseTurn(value: unknown): StepEnd[] {
  const { version, ends } = (value ?? {}) as { readonly version?: unknown; readonly ends?: unknown };
  if (version === 1 && Array.isArray(ends)) return ends as StepEnd[];
  throw new DomainError("CORRUPT", "the journal lost a turn of an operation");
}
