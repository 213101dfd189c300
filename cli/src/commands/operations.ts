import { Command } from "commander";
import { runCommand } from "../run-command.ts";

type Action = "getOperation" | "watchOperation" | "cancelOperation" | "waitOperation" | "deleteOperation";

const ACTIONS: readonly (readonly [string, string, Action])[] = [
  ["get", "one operation as it is now", "getOperation"],
  ["watch", "follow an operation to its end; Ctrl-C leaves it running", "watchOperation"],
  ["cancel", "ask an operation to stop", "cancelOperation"],
  ["wait", "wait until an operation is done", "waitOperation"],
  ["delete", "forget an operation that is done", "deleteOperation"],
];

/** `parfocal operations`. */
export function createOperationsCommand(): Command {
  const operations = new Command("operations").summary("list, follow, cancel and delete trainings and imports");
  operations
    .command("list")
    .description("the operations of the project, newest first")
    .option("--filter <terms>", 'verb="train" and done=true|false, joined by AND')
    .action(async (options: { filter?: string }, command: Command) => {
      const { listOperations } = await import("../actions/operations.ts");
      await runCommand(command, (context) => listOperations(context, options.filter ?? ""));
    });
  for (const [name, description, action] of ACTIONS) {
    operations
      .command(`${name} <operation>`)
      .description(description)
      .action(async (operation: string, _options: object, command: Command) => {
        const actions = await import("../actions/operations.ts");
        await runCommand(command, (context) => actions[action](context, operation));
      });
  }
  return operations;
}
