import { DomainError } from "@parfocal/errors";

/** Decimal numbers as every language writes them; JavaScript alone would also take "", "0x1F" and blanks. */
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/u;
const NON_FINITE = /^[+-]?(?:nan|inf|infinity)$/iu;

/** Whether a cell is meant as a number, finite or not. */
export function isNumeric(cell: string): boolean {
  return DECIMAL.test(cell) || NON_FINITE.test(cell);
}

/**
 * The number in a cell.
 *
 * @throws {DomainError} NON_FINITE for NaN, infinity and what a double cannot hold; CORRUPT when it is no number.
 */
export function parseNumber(cell: string, lineNumber: number, columnNumber: number): number {
  const value = DECIMAL.test(cell) ? Number(cell) : Number.NaN;
  if (Number.isFinite(value)) return value;
  const place = `line ${lineNumber}, column ${columnNumber}`;
  if (DECIMAL.test(cell) || NON_FINITE.test(cell)) {
    throw new DomainError("NON_FINITE", `${place} holds ${cell.slice(0, 40)}`);
  }
  throw new DomainError("CORRUPT", `${place} holds ${JSON.stringify(cell.slice(0, 40))}, which is no number`);
}
