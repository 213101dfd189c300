/** The parts of a {@link Split}, in order. */
export const PARTS = ["train", "validation", "test"] as const;

/** One of them. */
export type Part = (typeof PARTS)[number];

/** Row indices of each part, ascending. Every row is in exactly one part. */
export type Split = Readonly<Record<Part, readonly number[]>>;

/** Truth of a row: class index; multi-label: 1, 0 or null (not known) per label; null: unlabelled. */
export type RowLabel = number | readonly (number | null)[] | null;
