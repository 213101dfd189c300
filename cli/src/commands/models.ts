import { Command } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal models`. */
export function createModelsCommand(): Command {
  const models = new Command("models").summary("list, show, delete and name models").addHelpText(
    "after",
    `
Examples:
  parfocal models list
  parfocal models get tumour@production
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
