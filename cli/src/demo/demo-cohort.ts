import { mkdir, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { DomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { type FoundFile, findFiles } from "../client/find-files.ts";
import { importFiles } from "../client/import-files.ts";
import { encodeSlideH5 } from "../cohort/encode-h5.ts";
import type { MatchedRow } from "../cohort/match-bags.ts";
import { PLANTED_CLASSES, type PlantedSlide, plantCohort } from "../cohort/planted-cohort.ts";
import { FROM_BAGS, readLabels } from "../cohort/read-labels.ts";
import { UsageError } from "../exit-codes.ts";
import type { Progress } from "../output/progress.ts";

/** Where the demo's slides come from, as files of users. */
export interface DemoSource {
  readonly kind: "planted" | "csv" | "folder";
  /** One line for people. */
  readonly title: string;
  readonly files: readonly FoundFile[];
  /** Labels table, or {@link FROM_BAGS}. */
  readonly labels: string;
  /** Classes in order, when the source knows better than the labels. */
  readonly classes?: readonly string[];
  /** By slide: tiles that are known to be lesion. */
  readonly lesions: ReadonlyMap<string, Uint8Array>;
}

/** Makes the planted cohort's files: one HDF5 file per slide and a labels table. */
export async function writePlantedSource(out: string, nSlides: number, seed: bigint): Promise<DemoSource> {
  const folder = join(out, "slides");
  await mkdir(folder, { recursive: true });
  const slides = plantCohort(nSlides, seed);
  const files: FoundFile[] = [];
  for (const slide of slides) {
    const bytes = await encodeSlideH5(slide);
    const path = join(folder, `${slide.slideId}.h5`);
    await writeFile(path, bytes);
    files.push({ path, sizeBytes: bytes.length });
  }
  const labels = join(out, "labels.csv");
  await writeFile(labels, labelsTable(slides));
  const nPatients = new Set(slides.map(({ patient }) => patient)).size;
  return {
    kind: "planted",
    title: `${slides.length} made-up slides of ${nPatients} patients`,
    files,
    labels,
    classes: PLANTED_CLASSES,
    lesions: new Map(slides.map(({ slideId, lesion }) => [slideId, lesion])),
  };
}

function labelsTable(slides: readonly PlantedSlide[]): string {
  const rows = slides.map(({ slideId, patient, label }) => `${slideId},${patient},${label}`);
  return `slide_id,patient_id,label\n${rows.join("\n")}\n`;
}

/** A CSV of bags, or a folder of bags with a `labels.csv`. */
export async function openUserSource(path: string): Promise<DemoSource> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new UsageError(`--data: there is no file or folder ${path}`);
  const files = await findFiles([path]);
  if (!info.isDirectory()) {
    return { kind: "csv", title: basename(path), files, labels: FROM_BAGS, lesions: new Map() };
  }
  const labels = join(path, "labels.csv");
  if ((await stat(labels).catch(() => undefined)) === undefined) throw new UsageError(`--data: there is no ${labels}`);
  const title = `${files.length} files of ${basename(path)}`;
  return { kind: "folder", title, files, labels, lesions: new Map() };
}

/** What the demo works with. */
export interface ImportContext {
  readonly clients: GatewayClients;
  readonly parent: string;
  readonly signal: AbortSignal;
}

/** What {@link importSource} works with. */
export interface SourceContext extends ImportContext {
  /** Told how many labels are left out. */
  onNote(text: string): void;
}

/**
 * Imports a source's files through `UploadBag` and matches its labels.
 *
 * @throws {DomainError} the first file's error, or `NOT_FOUND` for a label without a bag: a demo is all or nothing.
 */
export async function importSource(
  { clients, parent, signal, onNote }: SourceContext,
  source: DemoSource,
  progress: Progress,
): Promise<readonly MatchedRow[]> {
  const nFiles = source.files.length;
  const outcomes = await importFiles(clients, source.files, {
    parent,
    signal,
    onFile: (_, nDone) => progress.update({ fraction: nDone / nFiles, text: `${nDone} of ${nFiles} files` }),
  });
  progress.end();
  const bags: gatewayV1.Bag[] = outcomes.flat().map((outcome) => {
    if (outcome.kind === "bag") return outcome.bag;
    throw new DomainError("PRECONDITION_FAILED", `${basename(outcome.path)}: ${outcome.code}: ${outcome.message}`);
  });
  const { matched, problems, notes } = await readLabels(
    source.labels,
    bags,
    source.classes && { classes: source.classes },
  );
  for (const text of notes) onNote(text);
  if (problems[0] !== undefined) throw new DomainError("NOT_FOUND", problems[0]);
  return matched;
}
