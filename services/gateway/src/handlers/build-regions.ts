import { assertNamedLevels } from "@parfocal/bags";
import { DomainError } from "@parfocal/errors";
import { type commonV1, gatewayV1, type googleLongrunning, parseResourceName } from "@parfocal/protocol";
import type { HandlerContext } from "@parfocal/runtime";
import type { GatewayDeps } from "../deps.ts";
import { assertDistinct, assertLength, entriesOfNamed, type NamedBag } from "./named-bags.ts";
import { requestJson } from "./request-json.ts";
import { startOperation } from "./start-operation.ts";

const MAX_SLIDES = 10_000;
const MAX_LEVELS = 5;
const MAX_OFFSET = 0.5;
const MAX_RATIO_TOLERANCE = 0.25;

/** `BuildRegions`: checks names and options, then starts the workflow. Whether bags fit each other is said slide by slide. */
export function createBuildRegions({ bags, operations }: Pick<GatewayDeps, "bags" | "operations">) {
  return async (
    request: gatewayV1.BuildRegionsRequest,
    { signal }: HandlerContext,
  ): Promise<googleLongrunning.Operation> => {
    const { project } = parseResourceName("project", request.parent, "parent");
    const { slides, options, requestId } = request;
    assertLength("slides", slides, 1, MAX_SLIDES);
    const named = slides.map((slide, index) => bagsOfSlide(slide, `slides[${index}].bags`));
    if (options !== undefined) assertOptions(options, Math.min(...named.map(({ length }) => length)));
    const json = requestJson(gatewayV1.BuildRegionsRequest, request);
    return startOperation(operations, { kind: "build-regions", project, requestId, json }, async () => {
      await entriesOfNamed(bags, project, named.flat(), signal);
    });
  };
}

function bagsOfSlide({ bags }: gatewayV1.SlideBags, field: string): NamedBag[] {
  assertLength(field, bags, 1, MAX_LEVELS);
  const named = bags.map((name, index) => ({ name, field: `${field}[${index}]` }));
  assertDistinct(named);
  return named;
}

/** What fits no slide: where some have more bags than there are levels, those are refused by themselves. */
function assertOptions(options: commonV1.RegionOptions, fewestBags: number): void {
  const { levelMpps } = options;
  if (levelMpps.length > 0) assertNamedLevels(levelMpps, fewestBags, "options.level_mpps");
  const [least, most] = levelMpps.length > 0 ? [levelMpps.length, levelMpps.length] : [fewestBags, MAX_LEVELS];
  assertBounds("options.level_count", options.levelCount, least, most);
  if (options.surrogateLevels) assertLevelsAreNamed(options);
  assertBounds("options.max_offset", options.maxOffset, 0, MAX_OFFSET);
  assertBounds("options.ratio_tolerance", options.ratioTolerance, 0, MAX_RATIO_TOLERANCE);
}

/** Without them no slide lacks a magnification that could be made up. */
function assertLevelsAreNamed({ levelCount, levelMpps }: commonV1.RegionOptions): void {
  if (levelCount !== undefined || levelMpps.length > 0) return;
  const message =
    "options.surrogate_levels needs options.level_mpps or options.level_count: they say which magnifications a slide may lack";
  throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "options.surrogate_levels" } });
}

function assertBounds(field: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (value >= min && value <= max)) return;
  const bound = `${min} to ${max}`;
  const details = { field, value: `${value}`, bound };
  throw new DomainError("INVALID_ARGUMENT", `${field} is ${value}; it is ${bound}`, { details });
}
