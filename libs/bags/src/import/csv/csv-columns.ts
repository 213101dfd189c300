import { DomainError } from "@parfocal/errors";
import { isNumeric } from "./parse-number.ts";

/** Where the parts of a row stand, counted from 0. */
export interface CsvColumns {
  readonly hasHeader: boolean;
  readonly label: number;
  readonly bag: number;
  readonly features: readonly number[];
}

const LABEL_NAMES = ["label", "bag_label", "y", "class"];
const BAG_NAMES = ["bag", "bag_id", "slide", "slide_id"];
/** No name, and the one that pandas gives such a column when it reads and writes the table again. */
const NAMELESS = /^$|^unnamed: \d+(?:\.\d+)?$/u;

/**
 * What the columns mean, from the cells of the first line. A header is one when no cell behind the second is a number
 * or when it names label and bag id (the features may be named by numbers); one name each must tell label and bag id, everything else being features.
 *
 * @throws {DomainError} UNSUPPORTED_FORMAT when there are fewer than three columns, a header tells label or bag id not
 * once each, or a column of it has no name.
 */
export function columnsOf(first: readonly string[]): CsvColumns {
  if (first.length < 3) {
    const hint = first.length === 1 && /[;\t]/u.test(first[0] ?? "") ? " (cells must be separated by commas)" : "";
    throw new DomainError(
      "UNSUPPORTED_FORMAT",
      `a row has ${first.length} cells, at least 3 are needed: label, bag id, features${hint}`,
    );
  }
  const names = first.map((name) => name.toLowerCase());
  const isNamed = names.some((name) => LABEL_NAMES.includes(name)) && names.some((name) => BAG_NAMES.includes(name));
  if (first.slice(2).some(isNumeric) && !isNamed) return withRest({ hasHeader: false, label: 0, bag: 1 }, first.length);
  const nameless = names.findIndex((name) => NAMELESS.test(name));
  if (nameless >= 0) {
    const problem = `column ${nameless + 1} of the header has no name`;
    throw new DomainError("UNSUPPORTED_FORMAT", `${problem}: an index that was written along is no feature`);
  }
  const label = oneOf(names, LABEL_NAMES);
  if (names[label] === "y" && names.includes("x")) {
    throw new DomainError("UNSUPPORTED_FORMAT", "the header names x and y, which look like coordinates, and no label");
  }
  return withRest({ hasHeader: true, label, bag: oneOf(names, BAG_NAMES) }, first.length);
}

function oneOf(names: readonly string[], wanted: readonly string[]): number {
  const found = [...names.keys()].filter((index) => wanted.includes(names[index] ?? ""));
  const [index] = found;
  if (index !== undefined && found.length === 1) return index;
  throw new DomainError(
    "UNSUPPORTED_FORMAT",
    `the header must have one column named ${wanted.join(" or ")}, it has ${found.length}`,
  );
}

function withRest(columns: Omit<CsvColumns, "features">, width: number): CsvColumns {
  const all = Array.from({ length: width }, (_, index) => index);
  return { ...columns, features: all.filter((index) => index !== columns.label && index !== columns.bag) };
}
