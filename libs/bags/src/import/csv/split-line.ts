import { DomainError } from "@parfocal/errors";

/**
 * The cells of one CSV line, without surrounding blanks. Cells may stand in double quotes, a doubled quote meaning one.
 *
 * @throws {DomainError} CORRUPT when a quote is not closed on the line.
 */
export function splitLine(line: string, lineNumber: number): readonly string[] {
  if (!line.includes('"')) return line.split(",").map((cell) => cell.trim());
  const cells: string[] = [];
  // No two runs beside each other can take the same blanks: that would cost their cube on a line that does not match.
  const pattern = /(?:\s*"((?:[^"]|"")*)"\s*|([^",]*))(,|$)/uy;
  for (let end = false; !end; ) {
    const match = pattern.exec(line);
    if (!match) throw new DomainError("CORRUPT", `line ${lineNumber} has a quote that is not closed`);
    cells.push(match[1]?.replaceAll('""', '"') ?? match[2]?.trim() ?? "");
    end = match[3] === "";
  }
  return cells;
}
