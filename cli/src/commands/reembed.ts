import { Command, Option } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal reembed`. */
export function createReembedCommand(): Command {
  return new Command("reembed")
    .summary("write what a model's re-embedder makes of bags")
    .description(
      "Writes the tiles of bags as a model's re-embedder leaves them (R2T, RoFormer, a pretrained region mixer), one safetensors file per\n" +
        "slide with 'features' [rows, width] and, of bags that know them, 'coords' [rows, 2]. Bags are resource names, digests, slide ids,\n" +
        "or files and folders, which are imported first. A slide that fails does not stop the others.",
    )
    .argument("[bag...]", "bags or files; none with --all")
    .requiredOption("--model <name>", "model id, id@alias, id/versions/…, or a full resource name")
    .requiredOption(
      "--output <folder>",
      "write <slide>.safetensors here; files of before are replaced when the new ones are complete",
    )
    .option("--all", "every bag of the project")
    .addOption(
      new Option("--dtype <type>", "of the features; f16 rounds to nearest and refuses what is beyond it")
        .choices(["f32", "f16"])
        .default("f32"),
    )
    .addHelpText(
      "after",
      `
What the rows are is the model's: one for each tile, or of a region mixer what it was published with, contextualised tiles or one
compressed row of all class tokens for each region. A package gives one of the two: pretrain with --set mixer.output=compressed,
or train with --mixer-output compressed, for the other.

Examples:
  parfocal reembed --model tumour slide-17 slide-18 --output embeddings/
  parfocal reembed --model mixer --all --output embeddings/ --dtype f16

With --json each line is {bag, slide, file, shape, dtype, coordinates, model} or {bag, error}. Exits 1 when a slide failed.`,
    )
    .action(async (bags: string[], options: object, command: Command) => {
      const { runReembed } = await import("../actions/reembed.ts");
      await runCommand(command, (context) => runReembed(context, bags, options as Parameters<typeof runReembed>[2]));
    });
}
