import { Command } from "commander";
import { PLANTED_SLIDES } from "../demo/planted-size.ts";
import { runCommand } from "../run-command.ts";
import { parseCount, seedOption } from "./parse-option.ts";

/** `parfocal demo`. */
export function createDemoCommand(): Command {
  return new Command("demo")
    .summary("the whole way: import, train, predict, report")
    .description(
      "Starts everything in this process with a store of its own, imports a small cohort (made up, or yours), trains a gated ABMIL\n" +
        "model through the gateway, predicts the held-out slides and writes predictions, metrics, heatmaps and a report.",
    )
    .option("--data <path>", "a CSV of bags (label, bag, features), or a folder of bags with a labels.csv")
    .option("--out <folder>", "where everything goes", "out/demo")
    .addOption(seedOption("drives the made-up cohort, the split and the training", 7n))
    .option("--slides <n>", "slides of the made-up cohort", parseCount, PLANTED_SLIDES)
    .option("--epochs <n>", "passes over the training part", parseCount)
    .addHelpText(
      "after",
      `
Examples:
  parfocal demo
  parfocal demo --data elephant.csv --out out/elephant
  parfocal demo --data features/                 features/labels.csv names the slides and their labels

A made-up cohort of the usual size or more, trained for as long or longer, must show what was planted in it; of a smaller demo low
figures are a note.`,
    )
    .action(async (options: object, command: Command) => {
      const { runDemo } = await import("../actions/demo.ts");
      await runCommand(command, (context) => runDemo(context, options as Parameters<typeof runDemo>[1]));
    });
}
