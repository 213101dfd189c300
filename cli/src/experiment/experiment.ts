/** A value of a section: what the contract's fields hold, lists of it, or a group of such. */
export type SectionValue = boolean | number | string | readonly (number | string)[] | Section;

/** Named values of an experiment file, in snake case; names and types are those of the contract. */
export interface Section {
  readonly [name: string]: SectionValue;
}

/** One experiment: what is trained on what, and where the results go. Absent: the service's default. */
export interface Experiment {
  /** Id of the model. */
  readonly name: string;
  readonly data: {
    /** Path of the labels table, or `from-bags`. */
    readonly labels: string;
    /** Several have a comma between. */
    readonly labelColumn?: string;
    readonly timeColumn?: string;
    readonly eventColumn?: string;
    /** Cross-validation: folds keep the sites of this column whole. */
    readonly siteColumn?: string;
    /** Path of a table of patients that has the labels. */
    readonly clinical?: string;
    /** Cross-validation: column that names the fold which tests a slide. */
    readonly foldColumn?: string;
    /** Paths of split files; several are folds. */
    readonly splits?: readonly string[];
    /** Files and folders that are imported first. */
    readonly files: readonly string[];
  };
  /** Absent: what the labels make. */
  readonly task?: Section;
  /** For cross-validation. */
  readonly folds: number;
  /** Who says how many folds there are; absent: nobody, it is the default. */
  readonly foldsFrom?: "experiment" | "tables";
  /** Cross-validations, each by other folds. */
  readonly repeats: number;
  readonly preset?: string;
  /** Model whose re-embedder training starts from. */
  readonly startFrom?: string;
  /** `standardise`, `single_logit`, `head` and `reembed`, the latter two with their `kind`. */
  readonly model: Section;
  /** `split`, `recipe`, `threshold` and the like: the sections of a training specification that the file has. */
  readonly sections: Readonly<Record<string, Section>>;
  /** One training each. */
  readonly seeds: readonly bigint[];
  /** Held-out slides whose maps the report shows. */
  readonly heatmaps: number;
  /** Folder of the results. */
  readonly output: string;
}

/** Folds of a cross-validation unless the file says otherwise. */
export const DEFAULT_FOLDS = 5;

/** Maps in a report unless the file says otherwise: what opens at once. */
export const DEFAULT_HEATMAPS = 12;
