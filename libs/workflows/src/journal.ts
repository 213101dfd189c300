import { createHash } from "node:crypto";
import { DomainError } from "@parfocal/errors";
import { commit, whenReachable } from "./commit.ts";
import type { DriverEnvironment } from "./driver-environment.ts";
import { type JournalEntry, parseJournalEntry, parseStepKey, type StepPlace, stepKey } from "./journal-entry.ts";
import { encodeText, isLostRace, readJson } from "./json-object.ts";
import { journalPrefix, type OperationRef, type OwnerId, operationPrefix } from "./operation-keys.ts";
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
  const known = new Map<string, StepPlace & { readonly key: string }>();
  const fixed = new Map<number, string>();
  for (const key of inherited) {
    const place = parseStepKey(key);
    known.set(place.slug, { ...place, key: `${root}${key}` });
    if (place.isSequential) fixed.set(place.ordinal, place.slug);
  }
  const asked = new Set<string>();
  let nInFlight = 0;
  let isSequential = true;
  let violation: DomainError | undefined;
  const broken = (error: DomainError): DomainError => (violation ??= error);
  const readEntry = async (key: string): Promise<JournalEntry> => {
    const found = await whenReachable(env, () => readJson(env.store, key));
    if (found === undefined) throw new DomainError("CORRUPT", "the journal lost the entry of a finished step");
    return parseJournalEntry(found.value);
  };

  return {
    enter(name) {
      const slug = slugFromName(name);
      if (asked.has(slug))
        throw broken(new DomainError("INTERNAL", `step "${name}" was asked for twice; names of steps are unique`));
      asked.add(slug);
      isSequential &&= nInFlight === 0;
      const place: StepPlace = { ordinal: asked.size, isSequential, slug };
      const entry = known.get(slug);
      const expected = fixed.get(place.ordinal);
      const isMoved = entry?.isSequential === true && entry.ordinal !== place.ordinal;
      if (isMoved || (expected !== undefined && expected !== slug))
        throw broken(replayMismatch(name, place.ordinal, entry));
      nInFlight++;
      if (entry !== undefined) return { kind: "known", key: entry.key };
      return { kind: "new", key: `${journalPrefix(ref, env.ownership)}${stepKey(place)}` };
    },
    leave() {
      nInFlight--;
    },
    async read(ticket, name) {
      const entry = await readEntry(ticket.key);
      if (entry.name !== name)
        throw broken(new DomainError("INTERNAL", `steps "${name}" and "${entry.name}" share a key`));
      return entry;
    },
    async write(ticket, entry) {
      const text = JSON.stringify({ ...entry, epoch: env.ownership.epoch } satisfies Json);
      await commit(env, () => createOnce(env, ticket.key, text));
    },
    get violation() {
      return violation;
    },
    async unusedStep() {
      const unused = [...known.values()].find(({ slug }) => !asked.has(slug));
      if (unused === undefined) return undefined;
      const { name } = await readEntry(unused.key);
      return new DomainError(
        "INTERNAL",
        `replay mismatch: the journal holds step "${name}", which the workflow no longer asks for`,
      );
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

function replayMismatch(name: string, ordinal: number, entry: StepPlace | undefined): DomainError {
  const was = entry === undefined ? "another step was journaled there" : `it was step ${entry.ordinal} in the journal`;
  return new DomainError(
    "INTERNAL",
    `replay mismatch: the workflow asks for "${name}" as step ${ordinal}, but ${was}; its code changed while this operation ran`,
  );
}

/** Readable and unique: what of a name may stand in a key, and a digest of the whole. */
function slugFromName(name: string): string {
  if (name.length < 1 || name.length > 200) {
    throw new DomainError("INTERNAL", `a step name has ${name.length} characters; 1 to 200 are allowed`);
  }
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `${name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 40)}.${digest}`;
}
