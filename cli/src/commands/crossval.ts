import { Command } from "commander";
import { runCommand } from "../run-command.ts";
import { collect } from "./parse-option.ts";

/** `parfocal crossval`. */
export function createCrossvalCommand(): Command {
  return new Command("crossval")
    .summary("cross-validate an experiment by patient and report")
    .description(
      "Trains and tests by folds, split by patient and stratified by label, as often as the experiment repeats it. Prints the figures\n" +
        "of all slides, each by a model that had not seen its patient, and writes a report with a row per fold, curves and a model\n" +
        "card, the predictions, and the experiment with every value that it ran by. Ctrl-C cancels it.",
    )
    .requiredOption("-f, --file <experiment>", "experiment as YAML ('parfocal experiment init' writes one)")
    .argument("[override...]", "values in place of the file's, e.g. split.folds=10 split.repeats=5")
    .option("--override <name=value>", "as the argument of that name; may be given again", collect)
    .option("--keep", "publish the folds' models as versions of the experiment's")
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .addHelpText(
      "after",
      `
Examples:
  parfocal crossval -f experiment.yaml
  parfocal crossval -f experiment.yaml split.folds=10 split.repeats=5 model.head.kind=transmil output=results/transmil`,
    )
    .action(async (overrides: string[], options: CrossvalOptions, command: Command) => {
      const { runCrossValidate } = await import("../actions/cross-validate.ts");
      const all = [...overrides, ...(options.override ?? [])];
      await runCommand(command, (context) => runCrossValidate(context, options, all));
    });
}

interface CrossvalOptions {
  readonly file: string;
  readonly override?: readonly string[];
  readonly keep?: boolean;
  readonly requestId?: string;
}
