import type { Command } from "commander";
import { UsageError } from "../exit-codes.ts";

/** Options that mean something beside an experiment file; what else would be said is in it. */
const BESIDE_A_FILE: ReadonlySet<string> = new Set(["file", "override", "requestId", "keep", "metric"]);

/** @throws {UsageError} for an option beside an experiment file that the file says. */
export function assertOnlyFile(command: Command, options: object): void {
  const other = Object.keys(options).find(
    (name) => !BESIDE_A_FILE.has(name) && command.getOptionValueSource(name) === "cli",
  );
  if (other === undefined) return;
  const flag = other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new UsageError(`-f says everything; change a value by name=value, not --${flag}`);
}
