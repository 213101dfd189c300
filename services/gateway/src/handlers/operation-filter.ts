import { DomainError } from "@parfocal/errors";

/** What a filter asks for; absent: everything. */
export interface OperationFilter {
  readonly verb?: string;
  readonly isDone?: boolean;
}

/** Two terms with room between them: cutting a filter costs the square of its blanks. */
const MAX_FILTER_LENGTH = 256;

/**
 * The part of AIP-160 that operations can answer: `verb="train"` and `done=true|false`, joined by AND.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming what it takes.
 */
export function parseOperationFilter(filter: string): OperationFilter {
  if (filter.length > MAX_FILTER_LENGTH) {
    const message = `filter has ${filter.length} characters, the bound is ${MAX_FILTER_LENGTH}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "filter" } });
  }
  const terms = filter.trim() === "" ? [] : filter.split(/\s+AND\s+/);
  return Object.assign({}, ...terms.map((term) => parseTerm(term.trim()))) as OperationFilter;
}

function parseTerm(term: string): OperationFilter {
  const done = /^done\s*=\s*(true|false)$/.exec(term);
  if (done !== null) return { isDone: done[1] === "true" };
  const verb = /^verb\s*=\s*"([a-z-]{1,32})"$/.exec(term);
  if (verb !== null) return { verb: verb[1]! };
  throw new DomainError("INVALID_ARGUMENT", 'filter takes verb="…" and done=true|false, joined by AND', {
    details: { field: "filter" },
  });
}
