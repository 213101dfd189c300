import { randomUUID } from "node:crypto";
import type { commonV1, gatewayV1 } from "@parfocal/protocol";
import { builtSlides } from "../client/built-slides.ts";
import { followOperation } from "../client/follow-operation.ts";
import { bagsOfSlides, type NamedBags } from "../client/regional-bags.ts";
import { groupBySlide, type SlideGroup } from "../cohort/slide-groups.ts";
import { EXIT_CODES, type ExitCode, UsageError } from "../exit-codes.ts";
import { type SlideOutcome, showRegions, slideRecord } from "../output/region-table.ts";
import { plural } from "../output/units.ts";
import type { CommandContext } from "../run-command.ts";

/** Options of `regions build`. */
export interface BuildRegionsOptions {
  readonly all?: boolean;
  readonly levels?: number;
  readonly levelMpps?: readonly number[];
  readonly maxOffset?: number;
  readonly ratioTolerance?: number;
  readonly matchByCentre?: boolean;
  readonly decimate?: boolean;
  readonly surrogateLevels?: boolean;
  readonly requestId?: string;
  readonly wait: boolean;
}

/** Most magnifications of a slide. */
const MAX_LEVELS = 5;

/** `parfocal regions build`. */
export async function buildRegions(
  context: CommandContext,
  names: readonly string[],
  options: BuildRegionsOptions,
): Promise<ExitCode> {
  const { output, parent, signal } = context;
  if (options.surrogateLevels === true && options.levelMpps === undefined && options.levels === undefined) {
    throw new UsageError("--surrogate-levels needs --level-mpps or --levels, which say what a slide may lack");
  }
  if ((names.length === 0) === (options.all !== true)) throw new UsageError("name files or slides, or give --all");
  const { clients, isEmbedded } = await context.connect();
  if (!options.wait && isEmbedded) {
    throw new UsageError("--no-wait needs a gateway that outlives this command: run 'parfocal up', or give --gateway");
  }
  const progress = output.progress("importing");
  const onFile = (nDone: number, nTotal: number) =>
    progress.update({ fraction: nDone / nTotal, text: `${nDone} of ${plural(nTotal, "file")}` });
  const named = await bagsOfSlides(clients, options.all ? undefined : names, { parent, signal, onFile });
  progress.end();
  showFailures(context, named);
  const [groups, crowded] = sortedOut(groupBySlide(named.bags));
  if (groups.length === 0 && crowded.length === 0) throw new UsageError("there are no bags of one magnification");
  const operation =
    groups.length === 0 ? undefined : await clients.bags.buildRegions(requestOf(parent, groups, options), { signal });
  if (operation !== undefined && !options.wait) {
    output.record({ operation: operation.name });
    output.line(operation.name);
    return EXIT_CODES.ok;
  }
  const follow = (name: string) => followOperation(clients, name, { output, signal, isOwner: true });
  const built =
    operation === undefined ? [] : outcomesOf(groups, await builtSlides(clients, await follow(operation.name), signal));
  const outcomes = [...built, ...crowded];
  for (const outcome of outcomes) output.record(slideRecord(outcome));
  showRegions(output, outcomes);
  const nFailed = named.failures.length + outcomes.filter(({ kind }) => kind === "error").length;
  return nFailed > 0 ? EXIT_CODES.failed : EXIT_CODES.ok;
}

/** Names that mean no bag, and files that made none, are told at once. */
function showFailures({ output }: CommandContext, { failures }: NamedBags): void {
  for (const { named, code, message } of failures) {
    output.record({ path: named, error: { code, message } });
    output.note(`failed: ${named}: ${code}: ${message}`);
  }
}

/** Slides to build, and those that have more bags than a slide has magnifications. */
function sortedOut(groups: readonly SlideGroup[]): readonly [SlideGroup[], SlideOutcome[]] {
  const crowded = groups.filter(({ bags }) => bags.length > MAX_LEVELS);
  const outcomes = crowded.map(({ slide, bags }): SlideOutcome => {
    const message = `the slide has ${bags.length} bags of one magnification; it is 1 to ${MAX_LEVELS}: name those that belong together`;
    return { kind: "error", slide, code: "INVALID_ARGUMENT", message };
  });
  return [groups.filter((group) => !crowded.includes(group)), outcomes];
}

function requestOf(
  parent: string,
  groups: readonly SlideGroup[],
  options: BuildRegionsOptions,
): gatewayV1.BuildRegionsRequest {
  const given: commonV1.RegionOptions = {
    levelCount: options.levels,
    levelMpps: [...(options.levelMpps ?? [])],
    maxOffset: options.maxOffset,
    ratioTolerance: options.ratioTolerance,
    matchByCentre: options.matchByCentre ?? false,
    decimateOverlap: options.decimate ?? false,
    surrogateLevels: options.surrogateLevels ?? false,
  };
  return {
    parent,
    slides: groups.map(({ bags }) => ({ bags: bags.map(({ name }) => name) })),
    options: given,
    requestId: options.requestId ?? randomUUID(),
  };
}

/** What came of each slide, in the order of the request. */
export function outcomesOf(groups: readonly SlideGroup[], slides: readonly gatewayV1.BuiltRegions[]): SlideOutcome[] {
  return groups.map(({ slide }, index): SlideOutcome => {
    const built = slides[index];
    if (built?.result?.$case === "bag") return { kind: "bag", slide, bag: built.result.value, report: built.report };
    const { code, message } = built?.result?.value ?? { code: "INTERNAL", message: "the gateway gave no result" };
    return { kind: "error", slide, code, message };
  });
}
