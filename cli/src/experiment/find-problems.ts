import type { z } from "zod";
import { nearestName } from "../nearest-name.ts";
import { type Override, overrideOf } from "./apply-overrides.ts";
import { KNOWN_NAMES } from "./contract-schema.ts";
import { snakeCase } from "./field-names.ts";
import { type Problem, pathText, type ValuePath, valueAt } from "./problem.ts";
import type { ReadDocument } from "./read-document.ts";

/** What problems are told about. */
export interface ProblemContext {
  readonly document: ReadDocument;
  readonly overrides: readonly Override[];
  /** The file's values with the overrides. */
  readonly values: unknown;
}

type Issue = z.core.$ZodIssue;

/** Every issue of the schema as problems with their places. */
export function problemsOf(issues: readonly Issue[], context: ProblemContext): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, issue.path as ValuePath, context));
}

/** A problem with the value at `path`, at its place in the file or named by the override that made it. */
export function problemAt(path: ValuePath, message: string, context: ProblemContext, isName = false): Problem {
  const override = overrideOf(path, context.overrides);
  if (override !== undefined) return { message: `override ${override.text}: ${message}` };
  const { document } = context;
  return { message, ...(isName ? document.placeOfName(path) : document.placeOf(path)) };
}

function problemsOfIssue(issue: Issue, path: ValuePath, context: ProblemContext): Problem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownName([...path, key], issue.message, context));
  }
  const value = valueAt(context.values, path);
  if (issue.code === "invalid_union" && typeof value === "object" && value !== null) {
    // The first of a union is the list or the group: what is wrong within it says more than that it is wrong.
    const [inner = []] = issue.errors;
    if (inner.some((each) => each.path.length > 0 || each.code === "unrecognized_keys")) {
      return inner.flatMap((each) => problemsOfIssue(each, [...path, ...(each.path as ValuePath)], context));
    }
  }
  const name = pathText(path) || "the file";
  if (value === undefined) return [problemAt(path, `${name} is missing; it is ${issue.message}`, context)];
  return [problemAt(path, `${name} is ${shown(value)}; it is ${issue.message}${meant(value, issue)}`, context)];
}

function unknownName(path: ValuePath, message: string, context: ProblemContext): Problem {
  const known = message.startsWith(KNOWN_NAMES) ? message.slice(KNOWN_NAMES.length).split(", ") : [];
  const group = pathText(path.slice(0, -1)) || "an experiment";
  const near = nearestName(snakeCase(String(path.at(-1))), known);
  const hint = near === undefined ? message : `did you mean ${near}?`;
  return problemAt(path, `${group} has no ${String(path.at(-1))}; ${hint}`, context, true);
}

/** The word that was meant, where only words are allowed. */
function meant(value: unknown, { message }: Issue): string {
  const [, words = ""] = /^one of (.+)$/.exec(message) ?? [];
  if (typeof value !== "string" || words === "") return "";
  const near = nearestName(snakeCase(value), words.split(", "));
  return near === undefined ? "" : `; did you mean ${near}?`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
