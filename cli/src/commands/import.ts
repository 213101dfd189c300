import { Command } from "commander";
import { runCommand } from "../run-command.ts";
import { parsePositive } from "./parse-option.ts";

/** `parfocal import`. */
export function createImportCommand(): Command {
  return new Command("import")
    .summary("turn feature files into bags of a project")
    .description(
      "Uploads files of tile features (.h5 of CLAM, TRIDENT and STAMP, .pt, .npy, .npz, .safetensors, .csv of many bags) and\n" +
        "imports them as bags. Importing the same file again gives the same bag. Folders are searched for such files.",
    )
    .argument("<path...>", "files or folders")
    .option("--encoder <name>", "tile encoder, where the files do not tell, e.g. uni_v2")
    .option("--tile-px <px>", "side of a tile in pixels at the encoded magnification", parsePositive)
    .option("--mpp <um>", "micrometres per pixel at the encoded magnification", parsePositive)
    .option(
      "--level0-mpp <um>",
      "micrometres per pixel at level 0: turns coordinates in micrometres into pixels",
      parsePositive,
    )
    .option("--patient-id <id>", "patient of the one file")
    .option("--slide-id <id>", "slide of the one file (default: its name without ending)")
    .addHelpText(
      "after",
      `
Examples:
  parfocal import features/                      every bag below a folder
  parfocal import slide.h5 --encoder uni_v2      a CLAM file, which does not tell its encoder
  parfocal import *.pt --json | jq .bag          one JSON line per bag`,
    )
    .action(async (paths: string[], options: object, command: Command) => {
      const { runImport } = await import("../actions/import.ts");
      await runCommand(command, (context) => runImport(context, paths, options));
    });
}
