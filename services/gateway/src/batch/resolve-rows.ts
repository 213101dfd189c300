import { DomainError, isDomainError, mapBounded } from "@parfocal/errors";
import type { BagCatalog, BagEntry } from "../catalog/bag-catalog.ts";
import type { CaseFailure, NamedRow, PlannedRow } from "./batch-plan.ts";
import { bagOfName } from "./read-manifest.ts";

/** Catalog entries read at a time. */
const CONCURRENT_READS = 32;

/** Where rows are looked up. */
export interface RowLookup {
  readonly bags: Pick<BagCatalog, "get" | "list">;
  readonly project: string;
  /** Whether a batch can do something with a bag: of several bags of one slide it tells which one is meant. */
  isSuitable(entry: BagEntry): boolean;
  readonly signal: AbortSignal;
}

/**
 * Looks rows up. A row that means no bag, several bags, or the bag of an earlier row says so and is not scored. Rows that have
 * a bag already keep it.
 */
export async function resolveRows(
  lookup: RowLookup,
  rows: readonly (NamedRow & Pick<PlannedRow, "bag" | "slide" | "kept">)[],
): Promise<PlannedRow[]> {
  const needsSlides = rows.some((row) => row.by === "slide" && row.bag === undefined);
  const slides = needsSlides ? await bagsBySlide(lookup) : new Map<string, BagEntry[]>();
  const resolved = await mapBounded(rows, CONCURRENT_READS, (row) =>
    row.bag === undefined ? resolveRow(lookup, slides, row) : Promise.resolve<PlannedRow>(row),
  );
  const isSettled = (index: number) => rows[index]?.bag !== undefined;
  return refuseRepeats(resolved, isSettled);
}

async function resolveRow(
  lookup: RowLookup,
  slides: ReadonlyMap<string, readonly BagEntry[]>,
  { line, by, name, patient }: NamedRow,
): Promise<PlannedRow> {
  const named = { line, by, name, patient };
  try {
    const { bags, project, signal } = lookup;
    const entry =
      by === "bag" ? await bags.get(project, bagOfName(project, name), { signal }) : bagOfSlide(lookup, slides, name);
    const { slideId = "", patientId = "" } = entry.metadata;
    return { ...named, bag: entry.ref.digest, slide: slideId, patient: patient || patientId };
  } catch (error) {
    if (!isDomainError(error) || !ABOUT_THE_ROW.has(error.code)) throw error;
    return { ...named, slide: by === "slide" ? name : "", failure: failureOf(error) };
  }
}

const ABOUT_THE_ROW: ReadonlySet<string> = new Set(["INVALID_ARGUMENT", "FORBIDDEN", "NOT_FOUND", "CORRUPT"]);

function failureOf({ code, message }: DomainError): CaseFailure {
  return { code, message };
}

function bagOfSlide(
  { isSuitable }: RowLookup,
  slides: ReadonlyMap<string, readonly BagEntry[]>,
  name: string,
): BagEntry {
  const all = slides.get(name) ?? [];
  const suitable = all.filter(isSuitable);
  const [first, second] = suitable.length > 0 ? suitable : all;
  if (first === undefined) throw new DomainError("NOT_FOUND", "no bag of this project has this slide_id");
  if (second === undefined) return first;
  const n = suitable.length || all.length;
  throw new DomainError("INVALID_ARGUMENT", `${n} bags have this slide_id; name the one that is meant by bag`);
}

async function bagsBySlide({ bags, project, signal }: RowLookup): Promise<Map<string, BagEntry[]>> {
  const slides = new Map<string, BagEntry[]>();
  let pageToken = "";
  do {
    const page = await bags.list(project, { pageSize: 1000, pageToken, signal });
    for (const entry of page.items) {
      const { slideId } = entry.metadata;
      if (slideId === undefined) continue;
      slides.set(slideId, [...(slides.get(slideId) ?? []), entry]);
    }
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return slides;
}

/** Refuses all but one row of a bag: the first of those that had it before, else the first. */
function refuseRepeats(rows: readonly PlannedRow[], isSettled: (index: number) => boolean): PlannedRow[] {
  const owners = new Map<string, number>();
  const inTurn = [...rows.keys()].sort((a, b) => Number(isSettled(b)) - Number(isSettled(a)) || a - b);
  for (const index of inTurn) {
    const bag = rows[index]?.bag;
    if (bag !== undefined && !owners.has(bag)) owners.set(bag, index);
  }
  return rows.map((row, index) => {
    const owner = owners.get(row.bag ?? "");
    if (owner === undefined || owner === index) return row;
    const { bag: _, kept: __, ...named } = row;
    const message = `line ${row.line} names the same bag as line ${rows[owner]?.line}`;
    return { ...named, failure: { code: "INVALID_ARGUMENT", message } };
  });
}
