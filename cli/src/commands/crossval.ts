import { Command } from "commander";
import { runCommand } from "../run-command.ts";
import { assertOnlyFile } from "./only-file.ts";
import { collect, parseCount } from "./parse-option.ts";
import { addTrainingOptions } from "./training-options.ts";

/** `parfocal crossval`. */
export function createCrossvalCommand(): Command {
  const command = new Command("crossval")
    .summary("cross-validate an experiment by patient and report")
    .description(
      "Trains and tests by folds, split by patient and stratified by label, as often as the experiment repeats it. Prints the figures\n" +
        "of all slides (or patients, by --groups), each by a model that had not seen its patient, and writes a report with\n" +
        "a row per fold, curves and a model card, the predictions, and the experiment with every value that it ran by. Ctrl-C cancels it.",
    )
    .argument("[override...]", "with -f: values in place of the file's, e.g. split.folds=10 split.repeats=5")
    .option("-f, --file <experiment>", "experiment as YAML ('parfocal experiment init' writes one); or all by options")
    .option("--override <name=value>", "as the argument of that name; may be given again", collect)
    .option("--keep", "publish the folds' models as versions of the experiment's, e.g. for predict --crossval")
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--folds <n>", "folds (default: 5)", parseCount)
    .option("--repeats <n>", "times that folds are drawn (default: 1)", parseCount)
    .option("--site-column <name>", "column of hospitals or scanners, which folds keep whole (without --repeats)")
    .option("--fold-column <name>", "column that names the fold which tests a slide, in place of folds that are drawn")
    .option("--out <folder>", "folder of the results (default: results/<model>)")
    .option("--model <id>", "name of the results, and of what --keep publishes (default: crossval)");
  addTrainingOptions(command);
  return command
    .addHelpText(
      "after",
      `
Examples:
  parfocal crossval -f experiment.yaml
  parfocal crossval --labels labels.csv --head transmil --folds 10 --repeats 5 --out results/transmil
  parfocal crossval --labels labels.csv --fold-column fold
  parfocal crossval --labels labels.csv --splits splits/splits_?.csv
  parfocal crossval -f experiment.yaml split.folds=10 split.repeats=5 model.head.kind=transmil output=results/transmil`,
    )
    .action(async (overrides: string[], options: CrossvalOptions, command: Command) => {
      const { runCrossValidate } = await import("../actions/cross-validate.ts");
      const all = [...overrides, ...(options.override ?? [])];
      await runCommand(command, (context) => {
        if (options.file !== undefined) assertOnlyFile(command, options);
        return runCrossValidate(context, options, all);
      });
    });
}

interface CrossvalOptions {
  readonly file?: string;
  readonly override?: readonly string[];
}
