import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DomainError, mapBounded } from "@parfocal/errors";
import type { gatewayV1 } from "@parfocal/protocol";
import { chosenBags } from "../client/chosen-bags.ts";
import type { GatewayClients } from "../client/clients.ts";
import { findModel } from "../client/find-model.ts";
import { type ReembedWish, writeReembedding } from "../client/reembed-bag.ts";
import { distinctFileNames } from "../client/slide-file-name.ts";
import { slideOf } from "../cohort/prediction-view.ts";
import { readsRegions } from "../cohort/region-bags.ts";
import { describeError, EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { assertFolderPlace } from "../output/output-places.ts";
import { plural } from "../output/units.ts";
import { orPlaceError } from "../output/write-files.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `reembed`. */
export interface ReembedCommandOptions {
  readonly model: string;
  readonly all?: boolean;
  readonly output: string;
  readonly dtype: ReembedWish["dtype"];
}

/** Bags asked for at a time: one is computed while the other one is written. */
const CONCURRENT_BAGS = 2;

/** What came of a bag. */
type Outcome =
  | { readonly kind: "file"; readonly reembedded: gatewayV1.ReembeddedBag }
  | { readonly kind: "error"; readonly code: string; readonly message: string };

/** A bag and its file. */
interface Job {
  readonly bag: gatewayV1.Bag;
  readonly file: string;
}

/** `parfocal reembed --model M BAG… --output DIR`. */
export async function runReembed(
  context: CommandContext,
  names: readonly string[],
  options: ReembedCommandOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if ((names.length === 0) === (options.all !== true)) throw new UsageError("name bags, or give --all");
  await assertFolderPlace("--output", options.output);
  const { clients } = await context.connect();
  const model = await findModel(clients, parent, options.model, signal);
  assertReembeds(model);
  const { bags, nMissing } = await chosenBags(context, clients, names, readsRegions(model.reembedder));
  await orPlaceError({ path: options.output, option: "--output" }, () => mkdir(options.output, { recursive: true }));
  const files = distinctFileNames(bags.map(slideAndDigest), ".safetensors");
  const jobs = bags.map((bag, i): Job => ({ bag, file: join(options.output, files[i] ?? "") }));
  const outcomes = await reembedAll(context, clients, model, jobs, options.dtype);
  showFiles(context, jobs, outcomes);
  const nFailed = nMissing + outcomes.filter(({ kind }) => kind === "error").length;
  output.note(`wrote ${plural(jobs.length + nMissing - nFailed, "re-embedded bag")} to ${options.output}`);
  return nFailed > 0 ? EXIT_CODES.failed : EXIT_CODES.ok;
}

function slideAndDigest(bag: gatewayV1.Bag) {
  return { slide: slideOf(bag), digest: bag.reference?.object?.sha256 ?? "" };
}

/** Before any bag is imported or read. */
function assertReembeds({ reembedder }: gatewayV1.Model): void {
  if (reembedder !== "") return;
  throw new DomainError("PRECONDITION_FAILED", "the model has no re-embedder: tiles go to its head as they are");
}

/** Writes a file for each bag; gives what came of each in their order. A bag that fails does not stop the others. */
async function reembedAll(
  { output, signal }: CommandContext,
  clients: GatewayClients,
  { name: model }: gatewayV1.Model,
  jobs: readonly Job[],
  dtype: ReembedWish["dtype"],
): Promise<Outcome[]> {
  const progress = output.progress("re-embedding");
  const shares = jobs.map(() => 0);
  const show = (i: number, share: number) => {
    shares[i] = share;
    const nDone = shares.filter((each) => each === 1).length;
    const fraction = shares.reduce((sum, each) => sum + each, 0) / jobs.length;
    progress.update({ fraction, text: `${nDone} of ${jobs.length}` });
  };
  try {
    return await mapBounded([...jobs.entries()], CONCURRENT_BAGS, async ([i, job]) => {
      const { bag, file: path } = job;
      // The file comes after the last of the stage's progress: half of the way.
      const onProgress = (fraction: number) => show(i, fraction / 2);
      const wish = { model, bag: bag.name, dtype, path, option: "--output", signal, onProgress };
      const outcome = await reembedOne(clients, wish);
      show(i, 1);
      output.record(recordOf(job, outcome, dtype));
      return outcome;
    });
  } finally {
    progress.end();
  }
}

async function reembedOne(clients: GatewayClients, wish: ReembedWish): Promise<Outcome> {
  try {
    return { kind: "file", reembedded: await writeReembedding(clients, wish) };
  } catch (error) {
    const { code, message } = describeError(error);
    if (wish.signal.aborted || code === "UNREACHABLE") throw error;
    return { kind: "error", code, message };
  }
}

function recordOf({ bag, file }: Job, outcome: Outcome, dtype: ReembedWish["dtype"]): object {
  const named = { bag: bag.name, slide: slideOf(bag) };
  if (outcome.kind === "error") return { ...named, error: { code: outcome.code, message: outcome.message } };
  const { model, reference } = outcome.reembedded;
  const shape = [reference?.tileCount, reference?.featureDim];
  return { ...named, file, shape, dtype, coordinates: reference?.hasCoordinates === true, model };
}

function showFiles({ output }: CommandContext, jobs: readonly Job[], outcomes: readonly Outcome[]): void {
  const rows = jobs.map(({ bag, file }, i) => {
    const outcome = outcomes[i];
    if (outcome?.kind !== "file") return [slideOf(bag), "", `${outcome?.code}: ${outcome?.message}`];
    const { reference } = outcome.reembedded;
    return [slideOf(bag), `${reference?.tileCount} × ${reference?.featureDim}`, file];
  });
  output.table([{ title: "slide" }, { title: "rows × features" }, { title: "file" }], rows);
}
