import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DomainError } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { outcomesOf } from "../actions/regions.ts";
import { builtSlides } from "../client/built-slides.ts";
import type { FoundFile } from "../client/find-files.ts";
import { followOperation } from "../client/follow-operation.ts";
import { importFiles } from "../client/import-files.ts";
import { encodeMagnificationH5 } from "../cohort/encode-h5.ts";
import { type MagnifiedSlide, plantMagnified } from "../cohort/planted-magnifications.ts";
import { groupBySlide } from "../cohort/slide-groups.ts";
import type { Output } from "../output/output.ts";
import type { ImportContext } from "./demo-cohort.ts";

/** A made-up slide with its region bag. */
export interface RegionSlide {
  readonly slide: MagnifiedSlide;
  readonly bag: gatewayV1.Bag;
  /** Held out: neither pretrained nor trained on. */
  readonly isHeldOut: boolean;
}

/** Slides, of which a third are held out, and compartments along the side of each. */
const N_SLIDES = 24;
const SIDE = 4;

/** What the demo works with, and where it speaks. */
export interface MagnifiedContext extends ImportContext {
  readonly output: Output;
}

/**
 * Makes slides at three magnifications below `out`, a file each, imports them and joins those of a slide to a region bag.
 *
 * @throws {DomainError} the first file's or slide's error: a demo is all or nothing.
 */
export async function prepareRegions(context: MagnifiedContext, out: string, seed: bigint): Promise<RegionSlide[]> {
  const { clients, parent, signal, output } = context;
  const slides = plantMagnified(N_SLIDES, SIDE, seed);
  const files = await writeFiles(out, slides);
  const progress = output.progress("importing");
  const outcomes = await importFiles(clients, files, {
    ...{ parent, signal },
    onFile: (_, nDone) =>
      progress.update({ fraction: nDone / files.length, text: `${nDone} of ${files.length} files` }),
  });
  progress.end();
  const bags = outcomes.flat().map((outcome) => {
    if (outcome.kind === "bag") return outcome.bag;
    throw new DomainError("PRECONDITION_FAILED", `a file made no bag: ${outcome.code}: ${outcome.message}`);
  });
  const built = await buildAll(context, bags);
  return slides.map((slide, index) => {
    const bag = built.get(slide.slideId);
    if (bag === undefined) throw new DomainError("INTERNAL", `slide ${index} of the demo has no region bag`);
    return { slide, bag, isHeldOut: index >= (2 * N_SLIDES) / 3 };
  });
}

async function writeFiles(out: string, slides: readonly MagnifiedSlide[]): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for (const { slideId, magnifications } of slides) {
    for (const tiles of magnifications) {
      const folder = join(out, "magnifications", tiles.name);
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${slideId}.h5`);
      const bytes = await encodeMagnificationH5(tiles);
      await writeFile(path, bytes);
      files.push({ path, sizeBytes: bytes.length });
    }
  }
  return files;
}

async function buildAll(
  { clients, parent, signal, output }: MagnifiedContext,
  bags: readonly gatewayV1.Bag[],
): Promise<ReadonlyMap<string, gatewayV1.Bag>> {
  const groups = groupBySlide(bags);
  const slides = groups.map((group) => ({ bags: group.bags.map(({ name }) => name) }));
  const { name } = await clients.bags.buildRegions({ parent, slides }, { signal });
  const done = await followOperation(clients, name, { output, signal, isOwner: true });
  return new Map(
    outcomesOf(groups, await builtSlides(clients, done, signal)).map((outcome) => {
      if (outcome.kind === "bag") return [outcome.slide, outcome.bag];
      throw new DomainError("PRECONDITION_FAILED", `a slide was refused: ${outcome.code}: ${outcome.message}`);
    }),
  );
}
