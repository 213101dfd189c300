import { Command, Option } from "commander";
import { runCommand } from "../run-command.ts";
import { parseNames } from "./parse-option.ts";

/** `parfocal batch`. */
export function createBatchCommand(): Command {
  return new Command("batch")
    .summary("score a manifest of bags with one or several models")
    .description(
      "Scores the bags that a manifest names, follows the batch to its end and fetches the results: a table of slides, one of patients\n" +
        "and one of failures, each as CSV, JSON lines and Parquet. A bag that fails does not stop the others. Ctrl-C cancels the batch;\n" +
        "what it has done is kept for --retry.",
    )
    .argument("[manifest]", "CSV or JSON lines: a file, or a URI below the gateway's import roots; none with --retry")
    .option(
      "--models <names>",
      "models, a comma between: id, id@alias, id/versions/…, or full resource names",
      parseNames,
    )
    .option("--crossval <operation>", "the models of a cross-validation's folds, which --keep kept, and their ensemble")
    .option("--ensemble", "add the mean of the models, which decide one task, with the standard deviation beside")
    .option(
      "--retry <operation>",
      "a batch that has ended: what it did not score is tried again with the same versions",
    )
    .addOption(
      new Option("--patient-rule <rule>", "how the slides of a patient are combined (default: mean)").choices([
        "mean",
        "max",
      ]),
    )
    .option("--transient", "leave nothing of the bags behind: re-embedded bags are not kept for the next model")
    .option("--out <folder>", "where the results go (default: batch- and the first digits of the operation)")
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--no-wait", "return as soon as the batch is accepted")
    .addHelpText(
      "after",
      `
The manifest has a column bag (resource name or digest) or slide_id, and if wanted patient_id, which wins over the bag's own. Lines
of JSON have keys of the same names.

Examples:
  parfocal batch slides.csv --models tumour@production,subtype --out results/
  parfocal batch s3://bucket/cohort/manifest.jsonl --models tumour --patient-rule max --no-wait
  parfocal batch slides.csv --models tumour@a,tumour@b --ensemble
  parfocal batch slides.csv --crossval 9c07d2e1b75a484f2a90c1d5e84b7f9a
  parfocal batch --retry 4f2a90c1d5e84b7f9a03c6d2e1b75a48 --out results/

With --json the last line is {operation, rowCount, scoredCount, failedCount, patientCount, models, files}. Exits 1 when a row
failed.`,
    )
    .action(async (manifest: string | undefined, options: object, command: Command) => {
      const { runBatch } = await import("../actions/batch.ts");
      await runCommand(command, (context) => runBatch(context, manifest, options as Parameters<typeof runBatch>[2]));
    });
}
