import type { gatewayV1 } from "@parfocal/protocol";
import { bagFactsOf } from "../client/bag-facts.ts";
import { findFiles } from "../client/find-files.ts";
import { type FileOutcome, importFiles } from "../client/import-files.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { inferredPlaceLines } from "../output/inferred-places.ts";
import { formatBytes, plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `import` beside the paths. */
export interface ImportCommandOptions {
  readonly encoder?: string;
  readonly tilePx?: number;
  readonly mpp?: number;
  readonly level0Mpp?: number;
  readonly patientId?: string;
  readonly slideId?: string;
}

/** Values of `inferred` that are numbers, which travel as text. */
const NUMERIC = new Set(["tilePx", "mpp", "stridePx", "sharedTiles"]);

/** `parfocal import PATH…`. */
export async function runImport(
  context: CommandContext,
  paths: readonly string[],
  options: ImportCommandOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  const files = await findFiles(paths);
  if (files.length === 0) throw new UsageError("the folders hold no file that may be a bag");
  if (files.length > 1 && (options.slideId !== undefined || options.patientId !== undefined)) {
    throw new UsageError(`--slide-id and --patient-id are for one file; there are ${files.length}`);
  }
  const { clients } = await context.connect();
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const progress = output.progress("importing");
  let sentBytes = 0;
  const outcomes = await importFiles(clients, files, {
    parent,
    hints: hintsOf(options),
    signal,
    onBytes: (bytes) => (sentBytes += bytes),
    onFile: (done, nDone) => {
      for (const outcome of done) output.record(recordOf(outcome));
      progress.update({
        fraction: nDone / files.length,
        text: `${nDone} of ${plural(files.length, "file")}, ${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`,
      });
    },
  });
  progress.end();
  const all = outcomes.flat();
  showTable(context, all);
  return all.some(({ kind }) => kind === "error") ? EXIT_CODES.failed : EXIT_CODES.ok;
}

function hintsOf(options: ImportCommandOptions): gatewayV1.ImportHints {
  return {
    slideId: options.slideId ?? "",
    patientId: options.patientId ?? "",
    encoder: options.encoder ?? "",
    tilePx: options.tilePx,
    mpp: options.mpp,
    level0Mpp: options.level0Mpp,
  };
}

function recordOf(outcome: FileOutcome): object {
  const { path } = outcome;
  if (outcome.kind === "error") return { path, error: { code: outcome.code, message: outcome.message } };
  const { bag, digest, slide, n, d, dtype } = bagFactsOf(outcome.bag);
  const inferred = Object.fromEntries(
    Object.entries(outcome.inferred).map(([name, value]) => [name, NUMERIC.has(name) ? Number(value) : value]),
  );
  return { path, bag, digest, n, d, dtype, inferred, slide, existed: outcome.existed };
}

/** Bags shown one by one; beyond, files are summed up. */
const MAX_ROWS = 60;

function showTable({ output }: CommandContext, outcomes: readonly FileOutcome[]): void {
  const bags = outcomes.filter((outcome) => outcome.kind === "bag");
  const failed = outcomes.filter((outcome) => outcome.kind === "error");
  const columns = [
    { title: "slide" },
    { title: "tiles", align: "right" },
    { title: "features", align: "right" },
    { title: "dtype" },
    { title: "layout" },
    { title: "bag" },
  ] as const;
  const rows = bags.slice(0, MAX_ROWS).map(({ bag, inferred }) => {
    const { slide, n, d, dtype, digest } = bagFactsOf(bag);
    return [slide, String(n), String(d), dtype, inferred.layout ?? "", digest.slice(0, 12)];
  });
  if (rows.length > 0) output.table(columns, rows);
  if (bags.length > MAX_ROWS) output.line(`… and ${bags.length - MAX_ROWS} more`);
  if (bags.length > 0) {
    const nExisted = bags.filter(({ existed }) => existed).length;
    output.line(`${plural(bags.length, "bag")}${nExisted > 0 ? `, ${nExisted} of them there already` : ""}`);
  }
  for (const line of inferredPlaceLines(bags.map(({ inferred }) => inferred))) output.line(line);
  for (const { path, code, message } of failed) output.note(`failed: ${path}: ${code}: ${message}`);
}
