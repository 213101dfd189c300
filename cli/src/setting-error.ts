import { UsageError } from "./exit-codes.ts";

/** What users give that has to be looked up: options of the command line, values of an experiment file. */
export type Setting =
  | "labels"
  | "clinical"
  | "splits"
  | "files"
  | "labelColumn"
  | "timeColumn"
  | "eventColumn"
  | "siteColumn"
  | "foldColumn"
  | "task"
  | "folds"
  | "repeats"
  | "preset"
  | "startFrom";

/** Which setting, and of one that has several values which of them. */
export interface SettingPlace {
  readonly setting: Setting;
  /** From 0, in the order in which they were given; absent: all of them. */
  readonly index?: number;
}

/** Thrown for a setting that turned out wrong when it was looked up: a path, a column, a preset, a model. */
export class SettingError extends UsageError {
  readonly place: SettingPlace;

  constructor(place: SettingPlace, message: string, options?: ErrorOptions) {
    super(message, options);
    this.place = place;
  }
}

/**
 * Does what depends on a setting.
 *
 * @throws {SettingError} in place of a `UsageError` that does not name a setting itself.
 */
export function about<T>(place: SettingPlace, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UsageError) || error instanceof SettingError) throw error;
    throw new SettingError(place, error.message, { cause: error });
  }
}
