import { Command } from "commander";
import { runCommand } from "../run-command.ts";
import { parseLevelMpps } from "./parse-level-mpps.ts";
import { parseCount, parseNonNegative } from "./parse-option.ts";

/** `parfocal regions`. */
export function createRegionsCommand(): Command {
  const regions = new Command("regions").summary("join the magnifications of slides to region bags");
  regions
    .command("build")
    .description(
      "Joins bags of one magnification each (5x, 10x, 20x of a slide) to one region bag per slide, whose tiles lie on one grid.\n" +
        "Bags of one slide id belong together: files of one name in folders of their own, for example. A slide whose bags do not lie\n" +
        "on one grid is refused with the measured offset; the others go on.",
    )
    .argument(
      "[bag...]",
      "files or folders, which are imported first, slide ids, digests or resource names; none with --all",
    )
    .option("--all", "every slide of the project")
    .option("--levels <n>", "magnifications of a region bag, 1 to 5 (default: as many as a slide has bags)", parseCount)
    .option(
      "--level-mpps <list>",
      "all magnifications, coarsest first, as um per pixel (2,1,0.5) or magnifications (5x,10x,20x): a slide may then lack some",
      parseLevelMpps,
    )
    .option(
      "--max-offset <share>",
      "largest distance of a tile from its cell, in tiles (default: 0.1)",
      parseNonNegative,
    )
    .option(
      "--ratio-tolerance <share>",
      "largest error of the ratio of two magnifications (default: 0.01)",
      parseNonNegative,
    )
    .option("--match-by-centre", "match tiles that lie off the grid by their centre instead of refusing the slide")
    .option("--decimate", "thin out overlapping tiles to one grid instead of refusing the slide")
    .option(
      "--surrogate-levels",
      "fill magnifications that a slide has no bag of, the finest apart, with the means of their four children (with --level-mpps or --levels)",
    )
    .option("--request-id <uuid>", "makes the request idempotent: the same id gives the same operation")
    .option("--no-wait", "return as soon as the build is accepted")
    .addHelpText(
      "after",
      `
Examples:
  parfocal regions build 5x/ 10x/ 20x/           files of the same name are the magnifications of a slide
  parfocal regions build --all --levels 3
  parfocal regions build --all --level-mpps 5x,10x,20x     slides that lack 5x or 20x join as well
  parfocal regions build --all --level-mpps 5x,10x,20x --surrogate-levels     where 5x or 10x is missing, it is made up of finer tiles
  parfocal regions build slide-17 --match-by-centre --json

With --json the last lines are {slide, bag, tileCounts, cellCount, fullCellCount, largestOffsets, …} or {slide, error}. Exits 1
when a slide was refused.`,
    )
    .action(async (bags: string[], options: object, command: Command) => {
      const { buildRegions } = await import("../actions/regions.ts");
      await runCommand(command, (context) =>
        buildRegions(context, bags, options as Parameters<typeof buildRegions>[2]),
      );
    });
  return regions;
}
