import { Command } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal bags`. */
export function createBagsCommand(): Command {
  const bags = new Command("bags").summary("list, show and delete bags");
  bags
    .command("list")
    .description("the bags of the project")
    .action(async (_options: object, command: Command) => {
      const { listBags } = await import("../actions/bags.ts");
      await runCommand(command, listBags);
    });
  bags
    .command("get <bag>")
    .description("one bag, by resource name, digest or slide id")
    .action(async (bag: string, _options: object, command: Command) => {
      const { getBag } = await import("../actions/bags.ts");
      await runCommand(command, (context) => getBag(context, bag));
    });
  bags
    .command("delete <bag...>")
    .description("delete bags; models trained on them stay")
    .action(async (names: string[], _options: object, command: Command) => {
      const { deleteBags } = await import("../actions/bags.ts");
      await runCommand(command, (context) => deleteBags(context, names));
    });
  return bags;
}
