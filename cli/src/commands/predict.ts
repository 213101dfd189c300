import { Command, Option } from "commander";
import { runCommand } from "../run-command.ts";
import { collect, parseAlpha, parseCount, parsePositive, parseSize } from "./parse-option.ts";

/** `parfocal predict`. */
export function createPredictCommand(): Command {
  return new Command("predict")
    .summary("score bags with a model")
    .description(
      "Scores bags: resource names, digests, slide ids, or files and folders, which are imported first. With labels it prints how\n" +
        "well the model does. How many of the slides the model was trained on is told. A slide that fails does not stop the others.",
    )
    .argument("[bag...]", "bags or files; none with --all")
    .option(
      "--model <name>",
      "model id, id@alias, id/versions/…, or a full resource name; may be given again, for several models",
      collect,
    )
    .option("--crossval <operation>", "the models of a cross-validation's folds, which --keep kept, and their ensemble")
    .option("--ensemble", "with several models of one task: their mean too, with the standard deviation beside")
    .option("--all", "every bag of the project")
    .addOption(
      new Option(
        "--together <which>",
        "decide several slides as one patient, by the rule that the model was trained with: all (the bags named are of one patient) or\n" +
          "patient (bags of the same patient, as the labels or the bags say)",
      ).choices(["all", "patient"]),
    )
    .option("--labels <file>", "labels table (see train), or 'from-bags'")
    .option(
      "--label-column <name>",
      "column of the label (default: label; of a regression its numbers' names); several have a comma between",
    )
    .option("--time-column <name>", "survival, cox: column of the time (default: time, survival_months, …)")
    .option(
      "--event-column <name>",
      "survival, cox: column of the event, 1 or 0 (default: event, status, censorship, …)",
    )
    .option("--clinical <file>", "table of patients that has the labels, when --labels only says whose the slides are")
    .option("--csv <file>", "write the predictions as CSV")
    .option("--parquet <file>", "write the predictions as Parquet")
    .option(
      "--heatmaps <folder>",
      "write per slide attention heatmaps (PNG), all scores (Parquet) and the tiles at both ends (CSV)",
    )
    .option("--geojson <folder>", "write the attention per slide as GeoJSON for QuPath")
    .option("--thumbnail <file>", "PNG or JPEG of the slide below the heatmap, or a folder with <slide>.png or .jpg")
    .option("--thumbnail-size <WxH>", "the whole slide that a thumbnail shows, in level-0 pixels", parseSize)
    .option("--thumbnail-downsample <n>", "level-0 pixels per pixel of thumbnails", parsePositive)
    .option("--thumbnail-mpp <n>", "micrometres per pixel of thumbnails, with --level0-mpp", parsePositive)
    .option("--level0-mpp <n>", "micrometres per level-0 pixel", parsePositive)
    .option("--overlay-alpha <share>", "of a tile's colour over the thumbnail (default: 0.5)", parseAlpha)
    .option("--top-tiles <n>", "tiles listed at each end (default: 10)", parseCount)
    .addHelpText(
      "after",
      `
Examples:
  parfocal predict --model tumour slide-17 slide-18
  parfocal predict --model tumour@production new-slides/ --csv predictions.csv --heatmaps maps/
  parfocal predict --model tumour slide-17 --heatmaps maps/ --thumbnail slide-17.jpg --thumbnail-size 98304x75264
  parfocal predict --model tumour --all --labels labels.csv --json
  parfocal predict --model tumour --together all slide-17 slide-18 slide-19
  parfocal predict --model tumour@a --model tumour@b --ensemble --all --csv predictions.csv
  parfocal predict --crossval 4f2a90c1d5e84b7f9a03c6d2e1b75a48 --all --csv ensemble.csv

With --json each line is {bag, probabilities, decision, threshold, seen, model} or {bag, error}, the last one {metrics, seen} if
there are labels (seen: the part of the model's training that had the slide, or how many it had); slides decided together are one line with {bags, rule} beside, and an ensemble's lines have {model: "ensemble", spread}. Exits 1
when a slide failed.`,
    )
    .action(async (bags: string[], options: object, command: Command) => {
      const { runPredict } = await import("../actions/predict.ts");
      await runCommand(command, (context) => runPredict(context, bags, options as Parameters<typeof runPredict>[2]));
    });
}
