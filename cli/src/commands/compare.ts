import { Command, Option } from "commander";
import type { CompareCommandOptions } from "../actions/compare.ts";
import { runCommand } from "../run-command.ts";
import { assertOnlyFile } from "./only-file.ts";
import { collect } from "./parse-option.ts";

/** `parfocal compare`. */
export function createCompareCommand(): Command {
  return new Command("compare")
    .summary("compare models on the same labelled bags")
    .description(
      "Has every model evaluated on the same labelled bags and tests every pair in every metric: AUROC by DeLong's test, accuracy by\n" +
        "McNemar's, everything else (and everything where patients have several slides) by a paired bootstrap over patients. P values\n" +
        "are adjusted for the pairs of a metric by Holm's method. Use bags that no model has learnt from: how many others are among\n" +
        "them is told for models that say so.\n\n" +
        "With -f the variants of an experiment are compared: each is cross-validated by the same folds and seeds, and every pair is\n" +
        "tested on what models say of slides whose patients they had not seen.",
    )
    .argument(
      "[model...]",
      "two or more: model id, id@alias, id/versions/…, or a full resource name; with -f: overrides",
    )
    .option("-f, --file <experiment>", "experiment with 'variants:', as YAML")
    .option("--override <name=value>", "with -f: as the argument, for all variants; may be given again", collect)
    .option("--labels <file>", "labels table (see train), or 'from-bags'; not with -f")
    .option("--label-column <name>", "column of the label (default: label)")
    .addOption(
      new Option("--part <name>", "only the rows that the table gives this part").choices([
        "train",
        "validation",
        "test",
      ]),
    )
    .option("--metric <name>", "only this metric, e.g. auroc")
    .addHelpText(
      "after",
      `
Examples:
  parfocal compare abmil clam r2t --labels hold-out.csv
  parfocal compare tumour@production tumour --labels labels.csv --part test --metric auroc
  parfocal compare -f heads.yaml split.folds=10 --metric auroc

With --json one line per model ({model, evaluation}; evaluation.seen counts the slides that it has learnt from) and one per pair and metric ({metric, first, second, difference, interval,
p, adjusted_p, method}).`,
    )
    .action(async (models: string[], options: CompareOptions, command: Command) => {
      await runCommand(command, async (context) => {
        const { file, override = [] } = options;
        if (file !== undefined) {
          assertOnlyFile(command, options);
          const { runCompareExperiment } = await import("../actions/compare-experiment.ts");
          return runCompareExperiment(context, file, [...models, ...override], options);
        }
        const { runCompare } = await import("../actions/compare.ts");
        return runCompare(context, models, options);
      });
    });
}

interface CompareOptions extends CompareCommandOptions {
  readonly file?: string;
  readonly override?: readonly string[];
}
