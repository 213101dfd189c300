import { DomainError } from "@parfocal/errors";
import type { TemperatureFit } from "@parfocal/metrics";
import { type ConfigObject, type ConfigReader, createConfigReader } from "@parfocal/models";
import type { ModelCalibration } from "./calibration.ts";
import { parseCalibration } from "./calibration-config.ts";

/** Classes or numbers of a task at most. */
const MAX_ENTRIES = 1000;

/**
 * The calibration of a manifest.
 *
 * @throws {DomainError} `INVALID_ARGUMENT` naming a field that is missing, of another type or out of its bounds.
 */
export function calibrationFromJson(json: ConfigObject): ModelCalibration {
  const { temperatures, sets = [], halfWidths = [], ...config } = json;
  const fields = createConfigReader({ sets, halfWidths }, "calibration");
  return {
    ...parseCalibration(config),
    temperatures: listOf(temperatures, "temperatures").map((fit) => (fit === null ? null : temperatureFrom(fit))),
    sets: fields.objects("sets").map(limitsFrom),
    halfWidths: fields.objects("halfWidths").map(halfWidthFrom),
  };
}

function halfWidthFrom(json: ConfigObject): ModelCalibration["halfWidths"][number] {
  const reader = createConfigReader(json, "calibration.halfWidths");
  const halfWidth = json.halfWidth === null ? null : reader.number("halfWidth", { min: 0, max: Number.MAX_VALUE });
  return { halfWidth, nPatients: countFrom(reader, "nPatients") };
}

function temperatureFrom(json: unknown): TemperatureFit {
  const reader = createConfigReader(json, "calibration.temperatures");
  const loss = (name: string) => reader.number(name, { min: 0, max: Number.MAX_VALUE });
  return {
    temperature: reader.number("temperature", { min: 1 / 20, max: 20 }),
    lossBefore: loss("lossBefore"),
    lossAfter: loss("lossAfter"),
    nCases: countFrom(reader, "nCases"),
  };
}

function limitsFrom(json: ConfigObject): ModelCalibration["sets"][number] {
  const reader = createConfigReader(json, "calibration.sets");
  const limits = listOf(json.limits, "sets.limits").map((limit, i) => {
    if (limit === null || (typeof limit === "number" && Number.isFinite(limit))) return limit;
    throw new DomainError("INVALID_ARGUMENT", `calibration.sets.limits[${i}] is neither a number nor null`);
  });
  const nPatients = reader.integers("nPatients", { min: 0, max: Number.MAX_SAFE_INTEGER, maxItems: MAX_ENTRIES });
  return { limits, nPatients };
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= MAX_ENTRIES) return value as readonly unknown[];
  throw new DomainError("INVALID_ARGUMENT", `calibration.${where} is no list of at most ${MAX_ENTRIES} entries`);
}

function countFrom(reader: ConfigReader, name: string): number {
  return reader.number(name, { min: 0, max: Number.MAX_SAFE_INTEGER, isInteger: true });
}
