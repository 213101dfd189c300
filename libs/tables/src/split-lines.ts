import { DomainError } from "@parfocal/errors";

/** Longest line of a table, characters: a row of names, not of features. */
export const MAX_LINE_LENGTH = 1024 * 1024;

/** A line of a text, numbered from 1. */
export interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * The lines of a text that comes in pieces, without their LF or CRLF.
 *
 * @throws {DomainError} `RESOURCE_EXHAUSTED` for a line of more than 1 048 576 characters.
 */
export async function* splitLines(pieces: AsyncIterable<string>): AsyncGenerator<Line, void, undefined> {
  let rest = "";
  let number = 0;
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) yield lineOf(text, ++number);
    assertLength(rest, number + 1);
  }
  if (rest !== "") yield lineOf(rest, number + 1);
}

function lineOf(text: string, number: number): Line {
  assertLength(text, number);
  return { number, text: text.endsWith("\r") ? text.slice(0, -1) : text };
}

function assertLength({ length }: string, number: number): void {
  if (length <= MAX_LINE_LENGTH) return;
  throw new DomainError(
    "RESOURCE_EXHAUSTED",
    `line ${number} has ${length} characters or more; ${MAX_LINE_LENGTH} are allowed`,
  );
}
