import { Command } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal presets`. */
export function createPresetsCommand(): Command {
  return new Command("presets")
    .summary("list the named recipes, or show every value of one")
    .description(
      "Lists the named recipes that train starts from with --preset. With a name it shows every value of that recipe, under the\n" +
        "name by which 'train --set' changes it.",
    )
    .argument("[name]", "recipe to show")
    .addHelpText(
      "after",
      `
Examples:
  parfocal presets
  parfocal presets r2t-camelyon16-r50
  parfocal train --model tumour --labels labels.csv --preset r2t-camelyon16-r50 --set reembed.crmsa-k=3 --epochs 50`,
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const { listPresets, showPreset } = await import("../actions/presets.ts");
      await runCommand(command, (context) => (name === undefined ? listPresets(context) : showPreset(context, name)));
    });
}
