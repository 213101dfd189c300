import { Command, Option } from "commander";
import { MIXER_PRESETS, OBJECTIVES } from "../cohort/pretrain-spec.ts";
import { DEFAULT_SEED } from "../default-seed.ts";
import { runCommand } from "../run-command.ts";
import {
  collect,
  parseCount,
  parseLevels,
  parseLongCount,
  parsePositive,
  parseShare,
  seedOption,
} from "./parse-option.ts";

/** `parfocal pretrain`. */
export function createPretrainCommand(): Command {
  return new Command("pretrain")
    .summary("pretrain a region mixer on region bags, without labels")
    .description(
      "Pretrains the mixed-magnification region mixer: tiles are removed and predicted from those that are left, of all magnifications.\n" +
        "Publishes the mixer as a model that 'parfocal train --start-from' starts from. Ctrl-C cancels.",
    )
    .requiredOption("--model <id>", "model; one that exists gets a further version")
    .option("--bags <names...>", "region bags: slide ids, digests or resource names")
    .option("--all-regions", "every region bag of the project")
    .addOption(new Option("--preset <size>", "size of the mixer (default: s)").choices([...MIXER_PRESETS]))
    .addOption(
      new Option("--objective <kind>", "mem, or cmem with a contrastive part (default: mem)").choices([...OBJECTIVES]),
    )
    .option("--ratio <share>", "of the tiles that is removed (default: 0.5)", parseShare)
    .option("--region-tiles <n>", "coarse tiles along the side of a region (default: 3)", parseCount)
    .option(
      "--levels <list>",
      "magnifications that are looked at, 0 the coarsest, e.g. 0,2 (default: all)",
      parseLevels,
    )
    .option(
      "--source-tiles <n>",
      "cmem: coarse tiles along the side of what crops are taken from (default: 7)",
      parseCount,
    )
    .option(
      "--regions <n>",
      "regions to see, each time counted (default: 100 passes, at most 50 million)",
      parseLongCount,
    )
    .option("--batch-regions <n>", "regions per update (default: 256)", parseCount)
    .option("--lr <rate>", "step size for 256 regions, scaled with the batch (default: 1.5e-4)", parsePositive)
    .option("--validation <share>", "of the patients that are only measured (default: 0.1)", parseShare)
    .option(
      "--min-presence <share>",
      "of its tiles that every magnification of a region has (default: 0.65)",
      parseShare,
    )
    .option("--no-augment", "neither turn nor mirror regions")
    .addOption(seedOption("drives everything random: same seed, same machine, same weights", DEFAULT_SEED))
    .option(
      "--set <name=value>",
      "a single value, e.g. mixer.width=128, after all other options; may be given again",
      collect,
    )
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--no-wait", "return as soon as the pretraining is accepted")
    .addHelpText(
      "after",
      `
Examples:
  parfocal pretrain --model mixer --all-regions
  parfocal pretrain --model mixer --all-regions --preset s --objective mem --ratio 0.5 --regions 1000000
  parfocal pretrain --model mixer --all-regions --objective cmem --source-tiles 7 --set contrastive.temperature=0.2
  parfocal pretrain --model small --bags slide-1 slide-2 --set mixer.width=64 --set mixer.depth=2 --set mixer.heads=2
  parfocal train --model her2 --labels labels.csv --start-from mixer --reembed region-mixer --frozen-epochs 1`,
    )
    .action(async (options: object, self: Command) => {
      const { runPretrain } = await import("../actions/pretrain.ts");
      await runCommand(self, (context) => runPretrain(context, options as Parameters<typeof runPretrain>[1]));
    });
}
