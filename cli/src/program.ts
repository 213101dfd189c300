import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { createBagsCommand } from "./commands/bags.ts";
import { createBatchCommand } from "./commands/batch.ts";
import { createCompareCommand } from "./commands/compare.ts";
import { createCrossvalCommand } from "./commands/crossval.ts";
import { createDemoCommand } from "./commands/demo.ts";
import { createDoctorCommand } from "./commands/doctor.ts";
import { createExperimentCommand } from "./commands/experiment.ts";
import { createImportCommand } from "./commands/import.ts";
import { createModelsCommand } from "./commands/models.ts";
import { createOperationsCommand } from "./commands/operations.ts";
import { createPredictCommand } from "./commands/predict.ts";
import { createPresetsCommand } from "./commands/presets.ts";
import { createPretrainCommand } from "./commands/pretrain.ts";
import { createReembedCommand } from "./commands/reembed.ts";
import { createRegionsCommand } from "./commands/regions.ts";
import { createTrainCommand } from "./commands/train.ts";
import { createUpCommand } from "./commands/up.ts";
import { EXIT_CODES, EXIT_CODES_HELP } from "./exit-codes.ts";
import { VERSION } from "./version.ts";

const PROJECT = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;

/** The command line. Commands load what they need when they run, so that `--help` is there at once. */
export function createProgram(): Command {
  const program = new Command("parfocal")
    .description("Inference and fine-tuning of slide-level models for computational pathology.")
    .version(VERSION)
    .addOption(new Option("--gateway <host:port>", "gateway to use (environment: PARFOCAL_GATEWAY)"))
    .option("--project <id>", "project that bags and models belong to", parseProject, "default")
    .option("--store <uri>", "store of the services started here: file:///folder or s3://bucket/prefix")
    .option("--tls", "call the gateway over TLS, trusting the system's authorities")
    .option("--tls-ca <file>", "the same, trusting those of the file, PEM (environment: PARFOCAL_GATEWAY_TLS_CA)")
    .option("--tls-cert <file>", "certificate to show the gateway, PEM (environment: PARFOCAL_GATEWAY_TLS_CERT)")
    .option("--tls-key <file>", "its key, PEM (environment: PARFOCAL_GATEWAY_TLS_KEY)")
    .option("--token-file <file>", "bearer token to show, read anew for each call (environment: PARFOCAL_TOKEN_FILE)")
    .option("--json", "one JSON object per line on standard output, nothing else there")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(--help shows what there is)")
    .addHelpText(
      "after",
      `
Without --gateway a command uses the gateway that 'parfocal up' runs on the same store, else it starts all services in its own
process for as long as it runs. The store is .parfocal/store of the working folder unless --store or PARFOCAL_STORE says otherwise.

Examples:
  parfocal demo                                             the whole way on a made-up cohort, with a report
  parfocal import features/
  parfocal train --model tumour --labels labels.csv
  parfocal predict --model tumour --all --csv predictions.csv --heatmaps maps/
  parfocal up                                               serve until Ctrl-C
${EXIT_CODES_HELP}`,
    );
  const commands = [
    createUpCommand(),
    createImportCommand(),
    createRegionsCommand(),
    createPretrainCommand(),
    createTrainCommand(),
    createCrossvalCommand(),
    createExperimentCommand(),
    createPresetsCommand(),
    createPredictCommand(),
    createBatchCommand(),
    createReembedCommand(),
    createCompareCommand(),
    createModelsCommand(),
    createBagsCommand(),
    createOperationsCommand(),
    createDoctorCommand(),
    createDemoCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  return program;
}

function parseProject(text: string): string {
  if (PROJECT.test(text) && !text.includes("..")) return text;
  throw new InvalidArgumentError("It is 1 to 63 of a-z, 0-9, '.', '_' and '-', with a letter or digit at both ends.");
}

/** Runs a command line; leaves the exit code in `process.exitCode`. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  prepare(program, argv.includes("--json"));
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version end by an exception too.
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
    if (error.exitCode !== 0 && argv.includes("--json")) {
      const message = error.message.replace(/^error: /, "");
      process.stdout.write(`${JSON.stringify({ error: { code: "INVALID_ARGUMENT", message } })}\n`);
    }
  }
}

/** Errors of the command line come to {@link runProgram} from every subcommand. */
function prepare(command: Command, isJson: boolean): void {
  command.exitOverride();
  if (isJson) command.configureOutput({ writeOut: (text) => void process.stderr.write(text) });
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    prepare(child, isJson);
  }
}
