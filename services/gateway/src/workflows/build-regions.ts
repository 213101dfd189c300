import { readBagHeader } from "@parfocal/bags";
import { DomainError, type DomainErrorCode, isDomainError } from "@parfocal/errors";
import { type commonV1, gatewayV1, parseResourceName, type pretrainV1 } from "@parfocal/protocol";
import { uriFromKey } from "@parfocal/store";
import type { Json, StepContext, Workflow, WorkflowContext } from "@parfocal/workflows";
import { createPatience } from "../batch/patience.ts";
import { keys } from "../catalog/keys.ts";
import type { GatewayDeps } from "../deps.ts";
import { bagFromEntry, bagReferenceFromRef, refFromBagReference } from "../wire.ts";
import { answerEntries } from "./answer-entries.ts";
import { mapSteps } from "./map-steps.ts";
import { MAX_STAGE_ATTEMPTS } from "./stage-steps.ts";
import { createTally, type Tally } from "./tally.ts";

type Deps = Pick<GatewayDeps, "store" | "bags" | "pretrain">;

/** Slides under way at a time: one is computed while others are read and written. */
const CONCURRENT_SLIDES = 4;

/** What is said of a slide's bags and not of the service: the operation goes on without the slide. */
const REFUSALS: ReadonlySet<DomainErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "EMPTY_BAG",
  "NON_FINITE",
  "SHAPE_MISMATCH",
  "UNSUPPORTED_FORMAT",
  "GEOMETRY_MISMATCH",
  "PRECONDITION_FAILED",
  "NOT_FOUND",
  "CORRUPT",
  "TRUNCATED",
]);

/**
 * Builds the region bag of every slide of a `BuildRegionsRequest`, a step each, and enters it into the catalog. A slide that is
 * refused is an entry of the answer, not a failure.
 */
export function createBuildRegionsWorkflow(deps: Deps): Workflow<Json, Json> {
  return async (context, input) => {
    const { slides, options } = gatewayV1.BuildRegionsRequest.fromJSON(input);
    const tally = createTally(slides.length);
    const built = await mapSteps(slides, CONCURRENT_SLIDES, async (slide, index) => {
      const work = (step: StepContext) => buildSlide(deps, context, { slide, options, index }, tally, step);
      const result = await context.step(`slide-${index}`, work, { maxAttempts: MAX_STAGE_ATTEMPTS });
      tally.finish(index, isRefused(result));
      return result;
    });
    const { entries, ...listed } = await answerEntries(deps.store, context, "slides.jsonl", built);
    return { slides: entries, ...listed };
  };
}

/** One slide to build. */
interface SlideJob {
  readonly slide: gatewayV1.SlideBags;
  readonly options: commonV1.RegionOptions | undefined;
  readonly index: number;
}

async function buildSlide(
  deps: Deps,
  context: WorkflowContext,
  job: SlideJob,
  tally: Tally,
  step: StepContext,
): Promise<Json> {
  const show = () => step.report({ phase: "building regions", ...tally.progress() });
  const onPart = (share: number) => {
    tally.advance(job.index, share);
    show();
  };
  const built = await builtOrRefused(() => buildOnStage(deps, context.project, job, onPart, step.signal));
  const result = gatewayV1.BuiltRegions.toJSON(built) as Json;
  tally.finish(job.index, isRefused(result));
  show();
  return result;
}

/** What came of a slide; failures that are not about its bags are thrown on. */
async function builtOrRefused(build: () => Promise<gatewayV1.BuiltRegions>): Promise<gatewayV1.BuiltRegions> {
  try {
    return await build();
  } catch (error) {
    if (!isDomainError(error) || !REFUSALS.has(error.code)) throw error;
    const { code, message } = error;
    return { result: { $case: "error", value: { code, message } }, report: undefined };
  }
}

async function buildOnStage(
  { store, bags, pretrain }: Deps,
  project: string,
  { slide, options }: SlideJob,
  onPart: (share: number) => void,
  signal: AbortSignal,
): Promise<gatewayV1.BuiltRegions> {
  const references = await Promise.all(
    slide.bags.map(async (name) => {
      const { ref } = await bags.get(project, parseResourceName("bag", name, "slides.bags").bag, { signal });
      return bagReferenceFromRef(store, ref);
    }),
  );
  const request = { bags: references, options, regionsUri: uriFromKey(store, keys.bagFolder(project)) };
  const patience = createPatience({ signal });
  for (;;) {
    try {
      const { bag, report } = await followBuild(pretrain, request, onPart, signal);
      return { result: { $case: "bag", value: await enterBag({ store, bags }, project, bag, signal) }, report };
    } catch (error) {
      // A stage that has no room says nothing of the slide.
      await patience.pauseAfter(error);
    }
  }
}

/** Follows the stage's stream to the region bag. @throws {DomainError} what the stage throws; `UNREACHABLE` when it ends early. */
async function followBuild(
  pretrain: Deps["pretrain"],
  request: pretrainV1.BuildRegionsRequest,
  onPart: (share: number) => void,
  signal: AbortSignal,
): Promise<{ readonly bag: commonV1.BagReference; readonly report: commonV1.RegionReport | undefined }> {
  for await (const { bag, report, doneBags, totalBags } of pretrain.buildRegions(request, { signal })) {
    if (bag !== undefined) return { bag, report };
    onPart(Number(doneBags) / Math.max(1, Number(totalBags)));
  }
  throw new DomainError("UNREACHABLE", "the stage ended the build before it gave the region bag");
}

/** Enters a region bag into the catalog, with what its own header says of slide, patient and magnifications. */
async function enterBag(
  { store, bags }: Pick<Deps, "store" | "bags">,
  project: string,
  reference: commonV1.BagReference,
  signal: AbortSignal,
): Promise<gatewayV1.Bag> {
  const ref = refFromBagReference(store, reference);
  const { metadata } = await readBagHeader(store, ref, { signal });
  await bags.add(project, { ref, metadata }, { signal });
  return bagFromEntry(store, project, { ref, metadata });
}

/** Whether a journaled {@link gatewayV1.BuiltRegions} is a refusal. */
function isRefused(result: Json): boolean {
  return gatewayV1.BuiltRegions.fromJSON(result).result?.$case === "error";
}
