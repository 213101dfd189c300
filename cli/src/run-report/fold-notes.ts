import type { gatewayV1 } from "@parfocal/protocol";

/**
 * What a reader should know of how folds were divided: a sentence for each class that some fold trains or tests without, of all repeats
 * together, and how unbalanced folds of whole sites are. Empty: nothing.
 */
export function foldNotes({
  folds,
  imbalance,
}: Pick<gatewayV1.CrossValidateResponse, "folds" | "imbalance">): readonly string[] {
  const hasRepeats = folds.some(({ repeat }) => repeat > 1);
  const lacks = folds.flatMap(({ repeat, fold, trainLacks, testLacks }) => {
    const name = hasRepeats ? `${repeat}.${fold}` : String(fold);
    return [...trainLacks.map((label) => ({ name, does: TRAIN, label })), ...testLacks.map(testing(name))];
  });
  const groups = Map.groupBy(lacks, ({ does, label }) => JSON.stringify([does[0], label]));
  return [...[...groups.values()].map(sentenceOf), ...balanceNote(imbalance)];
}

/** A class that a part of a fold lacks. */
interface Lack {
  /** The fold. */
  readonly name: string;
  /** The verb, of one fold and of several. */
  readonly does: readonly [one: string, several: string];
  readonly label: string;
}

const TRAIN = ["trains", "train"] as const;
const TEST = ["tests", "test"] as const;

function testing(name: string): (label: string) => Lack {
  return (label) => ({ name, does: TEST, label });
}

function sentenceOf(lacks: readonly Lack[]): string {
  const names = lacks.map(({ name }) => name);
  const { does = TRAIN, label = "" } = lacks[0] ?? {};
  const who = names.length === 1 ? `Fold ${names.join()} ${does[0]}` : `Folds ${names.join(", ")} ${does[1]}`;
  return `${who} without a single slide of ${label}.`;
}

function balanceNote(imbalance: number | undefined): string[] {
  if (imbalance === undefined) return [];
  const percent = (100 * imbalance).toFixed(1);
  return [
    `Sites were kept whole: in the mean a fold tests ${percent} % more or fewer patients of a class (event, quarter of the numbers) than an even share.`,
  ];
}
