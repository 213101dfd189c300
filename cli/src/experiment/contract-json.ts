import { type MessageField, messageFields } from "@parfocal/protocol";
import { enumWords } from "../cohort/spec-paths.ts";
import type { Section, SectionValue } from "./experiment.ts";
import { snakeCase } from "./field-names.ts";

/** A section of a file as the contract's JSON of a message: `kind: ordinal` becomes `KIND_ORDINAL`. Other names are left out. */
export function jsonFromSection(type: string, section: Section): Record<string, unknown> {
  const entries = messageFields(type).flatMap(({ name, value }) => {
    const given = section[snakeCase(name)];
    return given === undefined ? [] : [[name, jsonValue(value, given)] as const];
  });
  return Object.fromEntries(entries);
}

function jsonValue(value: MessageField["value"], given: SectionValue): unknown {
  if (value.kind === "message") return jsonFromSection(value.type, given as Section);
  if (value.kind === "enum") return enumWords(value.names).get(String(given));
  return given;
}

/** The contract's JSON of a message as a section of a file; the inverse of {@link jsonFromSection}. */
export function sectionFromJson(type: string, json: Readonly<Record<string, unknown>>): Section {
  const entries = messageFields(type).flatMap(({ name, value }) => {
    const given = json[name];
    return given === undefined ? [] : [[snakeCase(name), sectionValue(value, given)] as const];
  });
  return Object.fromEntries(entries);
}

function sectionValue(value: MessageField["value"], given: unknown): SectionValue {
  if (value.kind === "message") return sectionFromJson(value.type, given as Record<string, unknown>);
  if (value.kind !== "enum") return given as SectionValue;
  return [...enumWords(value.names)].find(([, name]) => name === given)?.[0] ?? String(given);
}
