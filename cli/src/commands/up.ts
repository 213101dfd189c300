import { Command } from "commander";
import { runCommand } from "../run-command.ts";
import { parsePort } from "./parse-option.ts";

/** `parfocal up`. */
export function createUpCommand(): Command {
  return new Command("up")
    .summary("serve: gateway and all stages in one process")
    .description(
      "Starts the gateway and all stages in one process on this machine and serves until Ctrl-C or SIGTERM, which lets running\n" +
        "calls end; a second signal cuts them. Trainings that were running go on with the next start.",
    )
    .option("--port <n>", "port of the gateway, 0 for any free one (environment: PORT; default: 50050)", parsePort)
    .option("--reembed-port <n>", "default: 50051, or any free one with --port 0", parsePort)
    .option("--aggregate-port <n>", "default: 50052, or any free one with --port 0", parsePort)
    .option("--pretrain-port <n>", "default: 50053, or any free one with --port 0", parsePort)
    .addHelpText(
      "after",
      `
Everything else is set by environment variables, as for the services by themselves: PARFOCAL_STORE (a folder or s3://bucket),
PARFOCAL_S3_ENDPOINT, PARFOCAL_DEVICE, PARFOCAL_THREADS, PARFOCAL_LOG_LEVEL (log lines go to standard error) and others.

Examples:
  parfocal up
  PARFOCAL_STORE=s3://bucket/prefix PARFOCAL_S3_ENDPOINT=http://127.0.0.1:9000 parfocal up --port 6000
  parfocal up --port 0 --json                    one line with the addresses once it serves`,
    )
    .action(async (options: object, command: Command) => {
      const { runUp } = await import("../actions/up.ts");
      await runCommand(command, (context) => runUp(context, options));
    });
}
