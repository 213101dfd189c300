import { relative } from "node:path";
import { Document, isScalar, visit } from "yaml";
import { FROM_BAGS } from "../cohort/read-labels.ts";
import type { Experiment } from "./experiment.ts";

/** What a resolved file says of itself. */
export interface ResolvedFacts {
  /** See `experimentDigest`. */
  readonly configSha256: string;
  /** Of bags and labels. */
  readonly dataSha256: string;
  /** Resource names of what was published, one per seed. */
  readonly models: readonly string[];
  readonly version: string;
}

/**
 * An experiment as YAML for a file in `folder`, with paths that count from there; `facts` stand under `resolved`, from which nothing is
 * read. The same experiment gives the same text.
 */
export function encodeExperiment(experiment: Experiment, folder: string, facts?: ResolvedFacts): string {
  const { name, data, task, folds, repeats, preset, startFrom, model, sections, seeds, heatmaps, output } = experiment;
  const { split, ...others } = sections;
  const local = (path: string) => relative(folder, path) || ".";
  const document = new Document(
    {
      name,
      data: dataSection(data, local),
      ...(task && { task }),
      // Folds that the tables give are as many as they are there.
      split: { ...split, ...(hasOwnFolds(experiment) ? {} : { folds }), repeats },
      model: {
        ...(preset === undefined ? {} : { preset }),
        ...(startFrom === undefined ? {} : { start_from: startFrom }),
        ...model,
      },
      ...others,
      // Seeds beyond 2^53 stay exact as digits.
      seeds: seeds.map((seed) => (seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : String(seed))),
      report: { heatmaps },
      output: local(output),
      ...(facts && {
        resolved: {
          config_sha256: facts.configSha256,
          data_sha256: facts.dataSha256,
          models: [...facts.models],
          parfocal: facts.version,
        },
      }),
    },
    { aliasDuplicateObjects: false },
  );
  // Short lists stand on one line, as people write them.
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every((item) => isScalar(item));
    },
  });
  if (facts !== undefined) {
    document.commentBefore =
      " Written by Parfocal: everything that this experiment ran by. The command that wrote it ('parfocal train -f', 'crossval -f') does the same by it.";
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: false, defaultStringType: "PLAIN" });
}

function hasOwnFolds({ data, foldsFrom }: Experiment): boolean {
  return foldsFrom === "tables" || data.foldColumn !== undefined;
}

function dataSection(data: Experiment["data"], local: (path: string) => string): object {
  const { labels, files, clinical, splits, labelColumn, timeColumn, eventColumn, siteColumn, foldColumn } = data;
  const section = {
    labels: labels === FROM_BAGS ? FROM_BAGS : local(labels),
    label_column: labelColumn,
    time_column: timeColumn,
    event_column: eventColumn,
    site_column: siteColumn,
    fold_column: foldColumn,
    clinical: clinical && local(clinical),
    splits: splits?.length === 1 ? splits.map(local)[0] : splits?.map(local),
    files: files.length === 0 ? undefined : files.map(local),
  };
  return Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined));
}
