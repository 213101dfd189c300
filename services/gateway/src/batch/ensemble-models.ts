import { DomainError } from "@parfocal/errors";
import { commonV1 } from "@parfocal/protocol";

/** What must agree between models that speak together. */
export interface EnsembleMember {
  /** As errors name it. */
  readonly field: string;
  readonly task: Pick<commonV1.Task, "kind" | "classes">;
  /** Survival in discrete time: the ends of the intervals, from 0; absent: not known. */
  readonly edges?: readonly number[];
}

/**
 * Checks that models can speak together: two or more of one kind of task, with the same classes (numbers, intervals) in the same order.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` for fewer than two; `PRECONDITION_FAILED` naming the first difference.
 */
export function assertOneTask(members: readonly EnsembleMember[]): void {
  const [first, ...others] = members;
  if (first === undefined || others.length === 0) {
    const message = `an ensemble is of 2 models or more; there are ${members.length}`;
    throw new DomainError("INVALID_ARGUMENT", message, { details: { field: "models", bound: "2" } });
  }
  for (const other of others) {
    const difference = differenceOf(first, other);
    if (difference === undefined) continue;
    const message = `${other.field} ${difference}`;
    throw new DomainError("PRECONDITION_FAILED", message, {
      details: { field: other.field, precondition: "SAME_TASK", subject: other.field },
    });
  }
}

/** The ends of the intervals that a model's `config_json` has; none where its task has none, or the text is another's. */
export function edgesOfConfig(configJson: string): Pick<EnsembleMember, "edges"> {
  try {
    const { task } = JSON.parse(configJson) as { readonly task?: { readonly edges?: unknown } };
    const edges = task?.edges;
    const isKnown = Array.isArray(edges) && edges.length > 0 && edges.every((edge) => typeof edge === "number");
    return isKnown ? { edges } : {};
  } catch {
    return {};
  }
}

/** What of `other` differs from `first`, as the end of a sentence about it; undefined: nothing. */
function differenceOf(first: EnsembleMember, other: EnsembleMember): string | undefined {
  const [a, b] = [first.task, other.task];
  const ofOne = "an ensemble takes models of one task";
  if (a.kind !== b.kind) return `decides ${kindName(b.kind)}, ${first.field} ${kindName(a.kind)}; ${ofOne}`;
  const classes = listDifference("class", [a.classes, b.classes], first.field);
  if (classes !== undefined) return `${classes}; ${ofOne}`;
  const ends = first.edges && other.edges && listDifference("interval end", [first.edges, other.edges], first.field);
  return ends && `${ends}; trained with task.survival.edges they have the same intervals`;
}

function listDifference(
  noun: string,
  [first, other]: readonly [readonly (string | number)[], readonly (string | number)[]],
  field: string,
): string | undefined {
  if (first.length !== other.length)
    return `has ${countOf(other.length, noun)}, ${field} ${countOf(first.length, noun)}`;
  const place = other.findIndex((each, i) => each !== first[i]);
  if (place < 0) return undefined;
  return `has ${JSON.stringify(other[place])} as ${noun} ${place + 1}, ${field} ${JSON.stringify(first[place])}`;
}

/** E.g. `2 classes`. */
function countOf(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`;
  return `${count} ${noun}${noun.endsWith("s") ? "es" : "s"}`;
}

/** E.g. `multiclass`. */
function kindName(kind: commonV1.Task_Kind): string {
  return commonV1.task_KindToJSON(kind).replace("KIND_", "").toLowerCase();
}
