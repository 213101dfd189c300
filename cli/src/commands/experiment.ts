import { Command, InvalidArgumentError } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal experiment`. */
export function createExperimentCommand(): Command {
  return new Command("experiment")
    .summary("write, check and describe experiment files")
    .description("Experiment files say in YAML what is trained on what; train -f and crossval -f run them.")
    .addCommand(initCommand())
    .addCommand(checkCommand())
    .addCommand(schemaCommand());
}

function initCommand(): Command {
  return new Command("init")
    .summary("write a commented experiment file")
    .description("Writes <name>.yaml into the working folder, with every part of an experiment and remarks.")
    .argument("[name]", "of the experiment and its model", parseName, "experiment")
    .action(async (name: string, _options: object, command: Command) => {
      const { initExperiment } = await import("../actions/experiment.ts");
      await runCommand(command, (context) => initExperiment(context, name));
    });
}

function checkCommand(): Command {
  return new Command("check")
    .summary("tell everything that is wrong with an experiment file")
    .description(
      "Checks names, types and bounds, and that paths and columns are there, each mistake with its line and column. Presets and models\n" +
        "are looked up where a gateway runs (--gateway, or 'parfocal up' on the store); it says so where none does. Starts nothing.",
    )
    .argument("<file>", "experiment file")
    .argument("[override...]", "values in place of the file's, e.g. recipe.epochs=5")
    .action(async (file: string, overrides: string[], _options: object, command: Command) => {
      const { checkExperiment } = await import("../actions/experiment.ts");
      await runCommand(command, (context) => checkExperiment(context, file, overrides));
    });
}

function schemaCommand(): Command {
  return new Command("schema")
    .summary("print the JSON Schema of experiment files")
    .description("Prints a JSON Schema (draft 2020-12) by which editors complete and check experiment files.")
    .action(async (_options: object, command: Command) => {
      const { showExperimentSchema } = await import("../actions/experiment.ts");
      await runCommand(command, showExperimentSchema);
    });
}

function parseName(text: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError("It is 1 to 63 of a-z, 0-9, '.', '_' and '-', with a letter or digit first.");
}
