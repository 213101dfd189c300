import type { RowLabel } from "./label-reader.ts";
import type { LabelPart } from "./parse-splits.ts";

/** One row of a labels table. */
export interface LabelRow extends Omit<RowLabel, "missing"> {
  /** Line in the file, from 1, for messages. */
  readonly line: number;
  /** How the table names the bag: a slide, a file, a digest or a resource name. */
  readonly slide: string;
  readonly patient?: string;
  /** Group of slides that has the label, e.g. a specimen. */
  readonly group?: string;
  /** Hospital or scanner that the slide comes from. */
  readonly site?: string;
  readonly part?: LabelPart;
  /** Cross-validation: name of the fold that tests it, by a column of folds. */
  readonly fold?: string;
  /** Cross-validation: its part in each fold, by splits that are folds; undefined where a fold leaves it out. */
  readonly foldParts?: readonly (LabelPart | undefined)[];
}
