import { Command } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal predict`. */
export function createPredictCommand(): Command {
  return new Command("predict")
    .summary("score bags with a model")
    .description(
      "Scores bags: resource names, digests, slide ids, or files and folders, which are imported first. With labels it prints how\n" +
        "well the model does. A slide that fails does not stop the others.",
    )
    .argument("[bag...]", "bags or files; none with --all")
    .requiredOption("--model <name>", "model id, id@alias, id/versions/…, or a full resource name")
    .option("--all", "every bag of the project")
    .option("--labels <file>", "labels table (see train), or 'from-bags'")
    .option("--label-column <name>", "column of the label (default: label)")
    .option("--csv <file>", "write the predictions as CSV")
    .option("--heatmaps <folder>", "write an attention heatmap (PNG) per slide")
    .option("--geojson <folder>", "write the attention per slide as GeoJSON for QuPath")
    .addHelpText(
      "after",
      `
Examples:
  parfocal predict --model tumour slide-17 slide-18
  parfocal predict --model tumour@production new-slides/ --csv predictions.csv --heatmaps maps/
  parfocal predict --model tumour --all --labels labels.csv --json

With --json each line is {bag, probabilities, decision, threshold, model} or {bag, error}, the last one {metrics} if there are
labels. Exits 1 when a slide failed.`,
    )
    .action(async (bags: string[], options: object, command: Command) => {
      const { runPredict } = await import("../actions/predict.ts");
      await runCommand(command, (context) => runPredict(context, bags, options as Parameters<typeof runPredict>[2]));
    });
}
