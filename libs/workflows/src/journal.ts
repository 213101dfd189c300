import { DomainError } from "@parfocal/errors";
import { commit, whenReachable } from "./commit.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { type JournalEntry, parseJournalEntry, parseStepKey, type StepPlace, stepKey } from "./journal-entry.ts";
import { encodeText, isLostRace, readJson } from "./json-object.ts";
import { journalPrefix, type OperationRef, type OwnerId, operationPrefix } from "./operation-keys.ts";
import { createStepLedger, unaskedStep } from "./step-ledger.ts";
import type { Json } from "./workflow.ts";

/** What happens to a step that was asked for. */
export type StepTicket =
  | { readonly kind: "known"; readonly key: string }
  | { readonly kind: "new"; readonly key: string };

/** The finished steps of one operation. */
export interface Journal {
  /** Synchronously gives a step its place. @throws {DomainError} `INTERNAL` for a name used twice or a broken replay. */
  enter(name: string): StepTicket;
  /** Every entered step leaves, however it ended. */
  leave(): void;
  /** The journaled end of a known step. */
  read(ticket: StepTicket, name: string): Promise<JournalEntry>;
  /** Makes the end of a new step durable. */
  write(ticket: StepTicket, entry: JournalEntry): Promise<void>;
  /** The first broken rule, if any: it decides the outcome even when the workflow swallowed the error. */
  readonly violation: DomainError | undefined;
  /** What the journal holds and the workflow did not ask for; call when the workflow returned. */
  unusedStep(): Promise<DomainError | undefined>;
}

/** Name of the object that carries earlier epochs over into a journal. */
const INHERITED = "inherited.json";

/**
 * Opens the journal of an operation for this owner's epoch.
 *
 * Entries of the previous owner count when they are there now; they are listed in an object of the new epoch's folder,
 * so whatever a late writer adds to an old folder is never seen. Reads no entry: only names.
 */
export async function openJournal(
  env: DriverEnvironment,
  ref: OperationRef,
  previous: OwnerId | undefined,
): Promise<Journal> {
  const inherited = previous === undefined ? [] : await listJournal(env, ref, previous);
  const prefix = journalPrefix(ref, env.ownership);
  if (inherited.length > 0) {
    const bytes = encodeText(JSON.stringify(inherited));
    await commit(env, async () => void (await env.store.put(`${prefix}${INHERITED}`, bytes)), {
      isUnconditional: true,
    });
  }
  return createJournal(env, ref, inherited);
}

/** Keys, relative to the operation's prefix, of every entry that counts for `owner`. */
async function listJournal(env: DriverEnvironment, ref: OperationRef, owner: OwnerId): Promise<string[]> {
  const root = operationPrefix(ref);
  const prefix = journalPrefix(ref, owner);
  const earlier = await readJson(env.store, `${prefix}${INHERITED}`);
  const keys = Array.isArray(earlier?.value) ? earlier.value.map(String) : [];
  let pageToken: string | undefined;
  do {
    const page = await env.store.list(prefix, pageToken === undefined ? {} : { pageToken });
    const entries = page.objects.filter(({ key }) => !key.endsWith(INHERITED));
    keys.push(...entries.map(({ key }) => key.slice(root.length)));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return keys;
}

function createJournal(env: DriverEnvironment, ref: OperationRef, inherited: readonly string[]): Journal {
  const root = operationPrefix(ref);
  const known = new Map<string, string>();
  const places: StepPlace[] = [];
  for (const key of inherited) {
    const place = parseStepKey(key);
    known.set(place.slug, `${root}${key}`);
    places.push(place);
  }
  const ledger = createStepLedger(places);
  const readEntry = async (key: string): Promise<JournalEntry> => {
    const found = await whenReachable(env, () => readJson(env.store, key));
    if (found === undefined) throw new DomainError("CORRUPT", "the journal lost the entry of a finished step");
    return parseJournalEntry(found.value);
  };

  return {
    enter(name) {
      const place = ledger.enter(name);
      const key = known.get(place.slug);
      if (key !== undefined) return { kind: "known", key };
      return { kind: "new", key: `${journalPrefix(ref, env.ownership)}${stepKey(place)}` };
    },
    leave: () => ledger.leave(),
    async read(ticket, name) {
      const entry = await readEntry(ticket.key);
      if (entry.name !== name)
        throw ledger.breakRule(new DomainError("INTERNAL", `steps "${name}" and "${entry.name}" share a key`));
      return entry;
    },
    async write(ticket, entry) {
      const text = JSON.stringify({ ...entry, epoch: env.ownership.epoch } satisfies Json);
      await commit(env, () => createOnce(env, ticket.key, text));
    },
    get violation() {
      return ledger.violation;
    },
    async unusedStep() {
      const [unused] = ledger.notAsked();
      if (unused === undefined) return undefined;
      const { name } = await readEntry(known.get(unused.slug)!);
      return unaskedStep(name);
    },
  };
}

/** The folder belongs to this epoch alone, so an object that is already there is our own write whose answer was lost. */
async function createOnce(env: DriverEnvironment, key: string, text: string): Promise<void> {
  try {
    await env.store.put(key, encodeText(text), { ifNoneMatch: "*", contentType: "application/json" });
  } catch (error) {
    if (!isLostRace(error)) throw error;
    if ((await readJson(env.store, key))?.text === text) return;
    env.ownership.reportFenced();
    throw error;
  }
}
