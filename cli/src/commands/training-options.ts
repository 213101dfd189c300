import { type Command, Option } from "commander";
import { HEADS, MIXER_OUTPUTS, REEMBEDDERS } from "../cohort/architecture-options.ts";
import { TASK_NAMES } from "../cohort/infer-task.ts";
import {
  collect,
  parseCount,
  parseLevels,
  parseNames,
  parseNonNegative,
  parsePositive,
  parseSeed,
  parseShare,
  parseWidths,
} from "./parse-option.ts";

/** Adds the options that say on what is trained, what and how. */
export function addTrainingOptions(command: Command): void {
  addDataOptions(command);
  addModelOptions(command);
  addRecipeOptions(command);
}

function addDataOptions(command: Command): void {
  command
    .option("--labels <file>", "labels table, or 'from-bags' for the labels that the imported files brought")
    .option(
      "--label-column <name>",
      "column of the label (default: label); of regression and multilabel several, a comma between",
    )
    .option("--time-column <name>", "survival, cox: column of the time (default: time, survival_months, …)")
    .option(
      "--event-column <name>",
      "survival, cox: column of the event, 1 or 0 (default: event, status, censorship, …)",
    )
    .option(
      "--clinical <file>",
      "table of patients that has the labels, when --labels only says whose the slides are (STAMP)",
    )
    .option(
      "--splits <file...>",
      "file that assigns the parts, columns train, val and test (CLAM's splits_<i>.csv); crossval: several, or one with columns fold_0, " +
        "fold_1, … (Patho-Bench's), are the folds",
    )
    .option("--preset <name>", "start from a named recipe ('parfocal presets' lists them); options given beside it win")
    .option("--start-from <model>", "model whose re-embedder training starts from, e.g. a pretrained mixer")
    .option(
      "--set <name=value>",
      "a single value of the specification, after all other options; may be given again ('parfocal presets NAME' shows the names)",
      collect,
    );
}

function addModelOptions(command: Command): void {
  command
    .addOption(new Option("--task <kind>", "what is decided (default: what the labels make)").choices([...TASK_NAMES]))
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
      "widths of the layers before the pooling, e.g. 512 or 256,128; 'none' (default: the head's, see docs/models.md)",
      parseWidths,
    )
    .option(
      "--attention-width <n>",
      "width of the attention layer (default: the head's, see docs/models.md)",
      parseCount,
    )
    .option("--dropout <p>", "of hidden values in training (default: the head's, see docs/models.md)", parseShare)
    .option(
      "--attention-dropout <p>",
      "of attention units in training (default: the head's, see docs/models.md)",
      parseShare,
    )
    .option("--standardise", "standardise features by the training part")
    .option("--single-logit", "binary: one sigmoid output instead of a softmax over two");
}

function addRecipeOptions(command: Command): void {
  command
    .option("--epochs <n>", "passes over the training part at most (default: 40)", parseCount)
    .addOption(
      new Option("--optimiser <kind>", "update rule (default: adamw)").choices(["adam", "adamw", "radam", "sgd"]),
    )
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

const SCHEDULES = ["constant", "cosine", "plateau"];
