import { Command } from "commander";
import { runCommand } from "../run-command.ts";

/** `parfocal doctor`. */
export function createDoctorCommand(): Command {
  return new Command("doctor")
    .summary("check what this machine can do")
    .description(
      "Checks Node, memory, disk, the store (also with racing writers), the devices and the services. Exits 1 if a check fails.",
    )
    .action(async (_options: object, command: Command) => {
      const { runDoctor } = await import("../actions/doctor.ts");
      await runCommand(command, runDoctor);
    });
}
