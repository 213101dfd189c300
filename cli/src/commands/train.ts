import { Command } from "commander";
import { UsageError } from "../exit-codes.ts";
import { runCommand } from "../run-command.ts";
import { assertOnlyFile } from "./only-file.ts";
import { collect } from "./parse-option.ts";
import { addTrainingOptions } from "./training-options.ts";

/** `parfocal train`. */
export function createTrainCommand(): Command {
  const command = new Command("train")
    .summary("train a model on labelled bags and publish it")
    .description(
      "Trains a slide-level model on the bags that a labels table names, splits by patient, follows the training to its end and\n" +
        "prints how the model does on the held-out slides. Ctrl-C cancels the training. With -f everything is in a file, and a report,\n" +
        "the predictions of the held-out slides and the file with every value that it ran by are written.",
    )
    .argument(
      "[override...]",
      "with -f: values in place of the file's, e.g. recipe.epochs=5 or model.head.kind=clam-sb",
    )
    .option("-f, --file <experiment>", "experiment as YAML ('parfocal experiment init' writes one)")
    .option("--override <name=value>", "as the argument of that name; may be given again", collect)
    .option("--model <id>", "model; one that exists gets a further version")
    .option("--spec <file>", "JSON of parfocal.common.v1.TrainingSpec; options given beside it win")
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--no-wait", "return as soon as the training is accepted");
  addTrainingOptions(command);
  return command
    .addHelpText(
      "after",
      `
The labels table is a CSV with a heading: slide_id (or bag, slide, FILENAME), label, and if there are any patient_id (case_id,
PATIENT), group_id (specimen_id) and split (train, validation, test; all rows or none). CLAM's and STAMP's tables work as they are. Several labels of a
slide stand between semicolons; one behind a question mark is not known. Rows whose label is empty, NA or unknown are left out and counted, unless
--classes has the word; where labels are several, or with --task multilabel, an empty one is none of the classes. --task multilabel with several
columns reads one label of each: 1/0, yes/no, mut/wt and the like, empty where it is not known. --task regression reads numbers,
--task survival and --task cox times and events; --task ordinal takes classes whose order --classes gives, lowest first. Slide ids match with or
without a file's ending.

Examples:
  parfocal train --model tumour --labels labels.csv
  parfocal train -f experiment.yaml seeds=[1,2,3] model.head.attention_width=128
  parfocal train --model subtype --labels labels.csv --classes LUAD,LUSC --head gated-abmil --epochs 20 --seed 7
  parfocal train --model grade --labels labels.csv --task ordinal --classes G1,G2,G3
  parfocal train --model genes --labels labels.csv --task multilabel --label-column KRAS,TP53
  parfocal train --model age --labels slides.csv --clinical clinical.csv --task regression --label-column AGE
  parfocal train --model risk --labels labels.csv --task cox --time-column OS.months --event-column OS --groups mean
  parfocal train --model musk --labels from-bags --standardise --hidden 256,128 --no-wait
  parfocal train --model r2t --labels labels.csv --reembed r2t --head abmil --set reembed.heads=4 --set reembed.crmsa-heads=4
  parfocal train --model her2 --labels labels.csv --start-from mixer --reembed region-mixer --frozen-epochs 1 --layer-decay 0.75
  parfocal train --model random --labels labels.csv --reembed region-mixer --set reembed.width=128
  parfocal train --model coarse --labels labels.csv --reembed levels --levels 0
  parfocal train --model ro --labels labels.csv --preset ro-abmil --set recipe.early-stopping.patience=5`,
    )
    .action(async (overrides: string[], options: TrainOptions, self: Command) => {
      if (options.file !== undefined) await trainExperiment(options.file, overrides, options, self);
      else await trainOptions(overrides, options, self);
    });
}

/** What is asked of both ways. */
interface TrainOptions {
  readonly file?: string;
  readonly override?: readonly string[];
  readonly requestId?: string;
}

async function trainExperiment(file: string, overrides: string[], options: TrainOptions, self: Command): Promise<void> {
  const { runTrainExperiment } = await import("../actions/train-experiment.ts");
  await runCommand(self, (context) => {
    assertOnlyFile(self, options);
    return runTrainExperiment(context, { ...options, file }, [...overrides, ...(options.override ?? [])]);
  });
}

async function trainOptions(overrides: string[], options: TrainOptions, self: Command): Promise<void> {
  const { runTrain } = await import("../actions/train.ts");
  await runCommand(self, (context) => {
    const [extra] = [...overrides, ...(options.override ?? [])];
    if (extra !== undefined)
      throw new UsageError(`"${extra}" changes a value of an experiment; give one by -f, or --set`);
    for (const name of ["model", "labels"]) {
      if (!(name in options)) throw new UsageError(`give --${name}, or an experiment by -f`);
    }
    return runTrain(context, options as Parameters<typeof runTrain>[1]);
  });
}
