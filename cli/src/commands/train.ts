import { Command, Option } from "commander";
import { HEADS, MIXER_OUTPUTS, REEMBEDDERS } from "../cohort/architecture-options.ts";
import { UsageError } from "../exit-codes.ts";
import { runCommand } from "../run-command.ts";
import {
  collect,
  parseCount,
  parseLevels,
  parseNames,
  parseNonNegative,
  parsePositive,
  parseSeed,
  parseShare,
} from "./parse-option.ts";

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
    .option("--labels <file>", "labels table, or 'from-bags' for the labels that the imported files brought")
    .option("--label-column <name>", "column of the label (default: label); of a regression several, a comma between")
    .option("--time-column <name>", "survival, cox: column of the time (default: time, survival_months, …)")
    .option(
      "--event-column <name>",
      "survival, cox: column of the event, 1 or 0 (default: event, status, censorship, …)",
    )
    .option(
      "--clinical <file>",
      "table of patients that has the labels, when --labels only says whose the slides are (STAMP)",
    )
    .option("--splits <file>", "file that assigns the parts, columns train, val and test (CLAM's splits_<i>.csv)")
    .option("--preset <name>", "start from a named recipe ('parfocal presets' lists them); options given beside it win")
    .option("--start-from <model>", "model whose re-embedder training starts from, e.g. a pretrained mixer")
    .option("--spec <file>", "JSON of parfocal.common.v1.TrainingSpec; options given beside it win")
    .option(
      "--set <name=value>",
      "a single value of the specification, after all other options; may be given again ('parfocal presets NAME' shows the names)",
      collect,
    )
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--no-wait", "return as soon as the training is accepted");
  addModelOptions(command);
  addRecipeOptions(command);
  return command
    .addHelpText(
      "after",
      `
The labels table is a CSV with a heading: slide_id (or bag, slide, FILENAME), label, and if there are any patient_id (case_id,
PATIENT), group_id (specimen_id) and split (train, validation, test; all rows or none). CLAM's and STAMP's tables work as they are. Several labels of a
slide stand between semicolons; one behind a question mark is not known. --task regression reads numbers, --task survival and --task cox
times and events; --task ordinal takes classes whose order --classes gives, lowest first. Slide ids match with or without a file's ending.

Examples:
  parfocal train --model tumour --labels labels.csv
  parfocal train -f experiment.yaml seeds=[1,2,3] model.head.attention_width=128
  parfocal train --model subtype --labels labels.csv --classes LUAD,LUSC --head gated-abmil --epochs 20 --seed 7
  parfocal train --model grade --labels labels.csv --task ordinal --classes G1,G2,G3
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

/** Options that mean something beside a file; what else would be said is in it. */
const BESIDE_A_FILE: ReadonlySet<string> = new Set(["file", "override", "requestId"]);

async function trainExperiment(file: string, overrides: string[], options: TrainOptions, self: Command): Promise<void> {
  const other = Object.keys(options).find(
    (name) => !BESIDE_A_FILE.has(name) && self.getOptionValueSource(name) === "cli",
  );
  const { runTrainExperiment } = await import("../actions/train-experiment.ts");
  await runCommand(self, (context) => {
    if (other !== undefined) throw new UsageError(`-f says everything; change a value by name=value, not --${other}`);
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

function addModelOptions(command: Command): void {
  command
    .addOption(new Option("--task <kind>", "what is decided (default: what the labels make)").choices(TASKS))
    .option("--classes <names>", "classes in order, a comma between; binary: negative first", parseNames)
    .addOption(
      new Option("--reembed <kind>", "how tiles see each other before (default: none)").choices([...REEMBEDDERS]),
    )
    .option("--levels <list>", "region-mixer, levels: magnifications that are looked at, 0 the coarsest", parseLevels)
    .addOption(
      new Option(
        "--mixer-output <kind>",
        "region-mixer: every tile, or one row per region (default: contextualised)",
      ).choices([...MIXER_OUTPUTS]),
    )
    .addOption(new Option("--head <kind>", "how tiles are pooled (default: gated-abmil)").choices([...HEADS]))
    .option(
      "--hidden <widths>",
      "widths of the layers before the pooling, e.g. 512 or 256,128; 'none' (default: 512, none behind a re-embedder)",
    )
    .option("--attention-width <n>", "width of the attention layer (default: 256)", parseCount)
    .option("--dropout <p>", "of hidden values in training (default: 0.25)", parseShare)
    .option("--attention-dropout <p>", "of attention units in training (default: 0)", parseShare)
    .option("--standardise", "standardise features by the training part")
    .option("--single-logit", "binary: one sigmoid output instead of a softmax over two");
}

function addRecipeOptions(command: Command): void {
  command
    .option("--epochs <n>", "passes over the training part at most (default: 40)", parseCount)
    .addOption(new Option("--optimiser <kind>", "update rule (default: adamw)").choices(["adam", "adamw", "sgd"]))
    .option("--lr <rate>", "step size (default: 1e-4)", parsePositive)
    .option("--weight-decay <rate>", "decay of weights (default: 1e-5)", parseNonNegative)
    .addOption(new Option("--schedule <kind>", "course of the step size (default: constant)").choices(SCHEDULES))
    .option("--batch-size <n>", "bags per update (default: 1)", parseCount)
    .option("--label-smoothing <share>", "of the target, spread over all classes (default: 0)", parseShare)
    .addOption(
      new Option("--class-weights <kind>", "weights in the loss (default: none)").choices(["none", "balanced"]),
    )
    .option(
      "--early-stopping <patience>",
      "stop after so many epochs without a better figure on the validation part (AUROC, kappa, R², C-index)",
      parseCount,
    )
    .option("--frozen-epochs <n>", "first epochs in which the re-embedder does not move (default: 0)", parseCount)
    .option("--layer-decay <factor>", "step sizes fall by it per layer below the head (default: 1)", parsePositive)
    .addOption(
      new Option(
        "--groups <rule>",
        "what the label of a group of slides (group_id, else the patient) says of each",
      ).choices(["none", "joined", "mean", "max", "min-loss"]),
    )
    .addOption(
      new Option("--group-negatives <rule>", "min-loss: which slides of negative groups learn (default: min)").choices([
        ...["min", "mean", "max"],
      ]),
    )
    .addOption(new Option("--selection <kind>", "weights to publish (default: best)").choices(["best", "last"]))
    .option("--validation <share>", "of the patients that validate (default: 0.15)", parseShare)
    .option("--test <share>", "of the patients that are held out (default: 0.15)", parseShare)
    .option("--threshold <rule>", "youden, f1, sensitivity=0.95 or a number (default: youden, on the validation part)")
    .option("--seed <n>", "drives everything random: same seed, same machine, same weights (default: 1)", parseSeed);
}

const TASKS = ["binary", "multiclass", "multilabel", "ordinal", "regression", "survival", "cox"];
const SCHEDULES = ["constant", "cosine", "plateau"];
