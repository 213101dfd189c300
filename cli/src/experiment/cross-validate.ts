import { readFile, rm } from "node:fs/promises";
import { DomainError } from "@parfocal/errors";
import { commonV1, gatewayV1, type googleLongrunning } from "@parfocal/protocol";
import type { GatewayClients } from "../client/clients.ts";
import { followOperation } from "../client/follow-operation.ts";
import { labelledBag } from "../client/labelled-bags.ts";
import { downloadResults, fileNameOf } from "../client/results.ts";
import type { MatchedRow } from "../cohort/match-bags.ts";
import { predictionRowOf, slideOf } from "../cohort/prediction-view.ts";
import { rowOfSlides } from "../output/decided-together.ts";
import type { CommandContext } from "../run-command.ts";
import { type FoldLine, viewFoldLine } from "./fold-lines.ts";
import type { PreparedExperiment } from "./prepare-experiment.ts";
import type { ScoredRow } from "./score-rows.ts";

/** Settings of {@link crossValidate}. */
export interface CrossValidateOptions {
  readonly seed: bigint;
  readonly requestId: string;
  /** Whether the folds' models become versions of the experiment's. */
  readonly isKept: boolean;
  /** Folder for the files that the operation leaves. */
  readonly folder: string;
}

/** A cross-validation with everything that came of it. */
export interface CrossValidation {
  /** Resource name. */
  readonly operation: string;
  readonly response: gatewayV1.CrossValidateResponse;
  readonly report: gatewayV1.CrossValidationReport;
  /** By repeat: every bag with what the model of the fold says that had not seen it. */
  readonly repeats: readonly (readonly ScoredRow[])[];
  /** By repeat: what was decided and counts, groups of bags, of each the first bag's row; absent: every bag, as in `repeats`. */
  readonly decided?: readonly (readonly ScoredRow[])[];
}

/**
 * Cross-validates an experiment through the gateway and follows it to its end; leaves `evaluation.json` in the folder.
 *
 * @throws {DomainError} the operation's own error.
 */
export async function crossValidate(
  context: CommandContext,
  clients: GatewayClients,
  prepared: PreparedExperiment,
  { seed, requestId, isKept, folder }: CrossValidateOptions,
): Promise<CrossValidation> {
  const { output, parent, signal } = context;
  const { experiment, matched, start, fixedFolds } = prepared;
  const spec = prepared.specFor(seed);
  const hasGroups = spec.groups !== undefined;
  const bags = matched.map((row) => ({
    ...labelledBag(row, { hasGroups }),
    part: commonV1.Part.PART_UNSPECIFIED,
  }));
  const request: gatewayV1.CrossValidateRequest = {
    ...{ parent, bags, spec, requestId, fixedFolds: [...(fixedFolds?.testedBy ?? [])] },
    ...{ folds: experiment.folds, repeats: experiment.repeats },
    sites: matched.flatMap(({ row }) => row.site ?? []),
    startFrom: start?.name ?? "",
    keepAs: isKept ? experiment.name : "",
  };
  const { name } = await clients.training.crossValidate(request, { signal });
  output.note(`operation ${name}`);
  const response = responseOf(await followOperation(clients, name, { output, signal, isOwner: true }));
  const { report, lines, decisions } = await downloadAll(clients, { name, response, folder, signal });
  const repeats = scoredRepeats(matched, lines, experiment.name);
  const decided = decisions && scoredRepeats(matched, decisions, experiment.name);
  return { operation: name, response, report, repeats, ...(decided && { decided }) };
}

function responseOf({ result }: googleLongrunning.Operation): gatewayV1.CrossValidateResponse {
  if (result?.$case === "response") return gatewayV1.CrossValidateResponse.decode(result.value.value);
  throw new DomainError("INTERNAL", "the cross-validation ended without a response");
}

async function downloadAll(
  clients: GatewayClients,
  {
    name,
    response,
    folder,
    signal,
  }: {
    readonly name: string;
    readonly response: gatewayV1.CrossValidateResponse;
    readonly folder: string;
    readonly signal: AbortSignal;
  },
): Promise<Downloaded> {
  const objects = [response.evaluation, response.predictions?.jsonl, response.decisions?.jsonl];
  const files = objects.flatMap((object) => (object === undefined ? [] : [fileNameOf(object)]));
  const [evaluation = "", predictions = "", decisions] = await downloadResults(clients, {
    name,
    files,
    folder,
    signal,
  });
  const report = gatewayV1.CrossValidationReport.fromJSON(JSON.parse(await readFile(evaluation, "utf8")));
  const lines = await takeLines<FoldLine>(predictions);
  if (decisions === undefined) return { report, lines };
  const groups = await takeLines<Omit<FoldLine, "bag"> & { readonly bags: string }>(decisions);
  return { report, lines, decisions: groups.map((line) => ({ ...line, ...bagsOf(line.bags) }) as GroupLine) };
}

/** What a cross-validation left. */
interface Downloaded {
  readonly report: gatewayV1.CrossValidationReport;
  readonly lines: readonly FoldLine[];
  /** With a rule for groups: what was decided. */
  readonly decisions?: readonly GroupLine[];
}

/** A line of what was decided of several bags; its bag is the first of them. */
interface GroupLine extends FoldLine {
  readonly bags: readonly string[];
}

function bagsOf(names: string): Pick<GroupLine, "bag" | "bags"> {
  const bags = names.split(";");
  return { bag: bags[0] ?? "", bags };
}

/** The lines of a file, which goes: what people are given has the same columns as the predictions of a training. */
async function takeLines<Line>(path: string): Promise<Line[]> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  await rm(path);
  return lines.map((line) => JSON.parse(line) as Line);
}

function scoredRepeats(
  matched: readonly MatchedRow[],
  lines: readonly (FoldLine | GroupLine)[],
  model: string,
): ScoredRow[][] {
  const byBag = new Map(matched.map((row) => [row.bag.name, row]));
  const repeats = Map.groupBy(lines, ({ repeat }) => repeat);
  return [...repeats.values()].map((own) =>
    own.map((line) => {
      const found = byBag.get(line.bag);
      if (found === undefined) throw new DomainError("INTERNAL", "the results speak of a bag that was not asked about");
      const scored = scoredLine(found, line, { model, hasRepeats: repeats.size > 1 });
      const names = "bags" in line ? line.bags : [];
      const slides = (names as readonly string[]).flatMap((name) => byBag.get(name)?.bag ?? []).map(slideOf);
      return { ...scored, row: rowOfSlides(scored.row, slides) };
    }),
  );
}

function scoredLine(
  found: MatchedRow,
  line: FoldLine,
  { model, hasRepeats }: { readonly model: string; readonly hasRepeats: boolean },
): ScoredRow {
  const { view, prediction } = viewFoldLine(line);
  const row = predictionRowOf(found.bag, model, { kind: "prediction", view }, found.row);
  const fold = hasRepeats ? `${line.repeat}.${line.fold}` : String(line.fold);
  const patient = line.patient ?? found.row.patient ?? found.bag.name;
  return {
    assigned: { ...found, part: "test", patient: patient || found.bag.name },
    row: { ...row, fold },
    prediction,
  };
}
