import { Command, Option } from "commander";
import { runCommand } from "../run-command.ts";
import { collect, parseNames } from "./parse-option.ts";

/** `parfocal models`. */
export function createModelsCommand(): Command {
  const models = new Command("models").summary("list, show, import, delete and name models").addHelpText(
    "after",
    `
Examples:
  parfocal models list
  parfocal models get tumour@production
  parfocal models import fold_0_model_best_auc.pt --name r2t --set crmsa_heads=1 --classes LUAD,LUSC
  parfocal models alias tumour production            to the newest version
  parfocal models alias tumour production --version projects/default/models/tumour/versions/0123…`,
  );
  models
    .command("list [model]")
    .description("versions of all models, or of one")
    .action(async (model: string | undefined, _options: object, command: Command) => {
      const { listModels } = await import("../actions/models.ts");
      await runCommand(command, (context) => listModels(context, model));
    });
  models
    .command("get <model>")
    .description("one version: what it is and how well it does")
    .action(async (model: string, _options: object, command: Command) => {
      const { getModel } = await import("../actions/models.ts");
      await runCommand(command, (context) => getModel(context, model));
    });
  models
    .command("import <file>")
    .description("make a model of another program's checkpoint (R2T, the DSMIL aggregator, CLAM)")
    .requiredOption("--name <id>", "model; one that exists gets a further version")
    .option("--set <name=value>", "what shapes cannot tell, e.g. crmsa_heads=1; may be given again", collect)
    .option("--classes <names>", "classes in the order of the outputs (default: 0, 1, …)", parseNames)
    .addOption(
      new Option("--task <kind>", "what is decided (default: what the checkpoint's program does)").choices(TASKS),
    )
    .option("--encoder <name>", "tile encoder whose features it takes (default: any)")
    .addHelpText(
      "after",
      `
FILE is a .pt state dict of this machine, which is uploaded, or an s3:// or file:// URI below an import root of the gateway. It is
read, never executed; every name and shape is checked. Settings, with their defaults:
  R2T    n_heads=8 crmsa_heads=8 all_shortcut=false region_num=8 region_size=0 min_region_num=0 min_region_ratio=0
         act=relu (gelu, none) da_act=tanh (relu, gelu); with feed-forward layers ffn_act=gelu (relu); with PEG or PPEG pos_pos=0 (-1)
         of survival task=survival bins=0,12,24,36,60 (edges of the intervals), by default then region_num=16 da_act=relu
  DSMIL  decision=bag (mean, of a program that averages both streams); with learned values v_act=relu (none, as older versions have it)
  CLAM   k_sample=8
What bags must be of, which no checkpoint tells; without it nothing but the width is checked:
         encoder tile_px mpp stride (distance of neighbouring tiles, in pixels as tile_px counts them)

Examples:
  parfocal models import fold_0_model_best_auc.pt --name r2t --set crmsa_heads=1 --classes LUAD,LUSC`,
    )
    .action(async (file: string, options: object, command: Command) => {
      const { importModel } = await import("../actions/import-model.ts");
      await runCommand(command, (context) => importModel(context, file, options as Parameters<typeof importModel>[2]));
    });
  models
    .command("delete <version>")
    .description("delete a version that no alias points at")
    .action(async (version: string, _options: object, command: Command) => {
      const { deleteModel } = await import("../actions/models.ts");
      await runCommand(command, (context) => deleteModel(context, version));
    });
  models
    .command("alias <model> <alias>")
    .description("point an alias at a version")
    .option("--version <name>", "version (default: the newest)")
    .option("--remove", "remove the alias")
    .action(async (model: string, alias: string, options: { version?: string; remove?: boolean }, command: Command) => {
      const { setAlias } = await import("../actions/models.ts");
      await runCommand(command, (context) => setAlias(context, model, alias, options));
    });
  return models;
}

const TASKS = ["binary", "multiclass", "multilabel"];
