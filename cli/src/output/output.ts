import type { Writable } from "node:stream";
import { createProgress, type Progress } from "./progress.ts";
import { renderTable, type TableColumn } from "./table.ts";

/** Where a command speaks. Results go to standard output, everything else to standard error. */
export interface Output {
  readonly isJson: boolean;
  /** One JSON object on a line of standard output; nothing for people. */
  record(value: object): void;
  /** A line of the result for people; nothing with `--json`. */
  line(text?: string): void;
  /** A table of the result for people; nothing with `--json`. */
  table(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): void;
  /** A remark on standard error, also with `--json`. */
  note(text: string): void;
  /** A bar on a terminal, lines elsewhere, on standard error; silent with `--json`. */
  progress(label: string): Progress;
}

/** Streams of an {@link Output}. */
export interface OutputStreams {
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
}

/** The output of one command. */
export function createOutput(isJson: boolean, { stdout, stderr }: OutputStreams = process): Output {
  return {
    isJson,
    record: (value) => void (isJson && stdout.write(`${JSON.stringify(value, jsonValue)}\n`)),
    line: (text = "") => void (isJson || stdout.write(`${text}\n`)),
    table: (columns, rows) => void (isJson || stdout.write(renderTable(columns, rows))),
    note: (text) => void stderr.write(`${text}\n`),
    progress: (label) => createProgress({ label, stream: stderr, isSilent: isJson }),
  };
}

/** JSON has no 64-bit integers: safe ones become numbers, others text. */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
