import { Command, Option } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal compare`. */
export function createCompareCommand(): Command {
  return new Command("compare")
    .summary("compare models on the same labelled bags")
    .description(
      "Has every model evaluated on the same labelled bags and tests every pair in every metric: AUROC by DeLong's test, accuracy by\n" +
        "McNemar's, everything else (and everything where patients have several slides) by a paired bootstrap over patients. P values\n" +
        "are adjusted for the pairs of a metric by Holm's method. Use bags that no model has learnt from.",
    )
    .argument("<model...>", "two or more: model id, id@alias, id/versions/…, or a full resource name")
    .requiredOption("--labels <file>", "labels table (see train), or 'from-bags'")
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

With --json one line per model ({model, evaluation}) and one per pair and metric ({metric, first, second, difference, interval,
p, adjusted_p, method}).`,
    )
    .action(async (models: string[], options: object, command: Command) => {
      const { runCompare } = await import("../actions/compare.ts");
      await runCommand(command, (context) => runCompare(context, models, options as Parameters<typeof runCompare>[2]));
    });
}
