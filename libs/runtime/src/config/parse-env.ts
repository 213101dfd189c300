import { DomainError } from "@parfocal/errors";
import type { Setting } from "./setting.ts";

/** Settings by the name they have in the program. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table of settings. */
export type ConfigOf<S> = { readonly [Name in keyof S]: S[Name] extends Setting<infer T> ? T : never };

/** One line of a printed configuration. */
export interface ConfigLine {
  readonly env: string;
  /** The value, redacted where it must not be seen. */
  readonly value: string;
  readonly unit: string;
  readonly isDefault: boolean;
}

/** Longest piece of a wrong value that is repeated. */
const MAX_SHOWN_LENGTH = 64;

/**
 * The configuration in `env`, every value parsed and bounded. Variables that no setting names are none of its business.
 *
 * @throws {DomainError} INVALID_ARGUMENT naming every variable that is missing or breaks its bound, with value and bound.
 */
export function parseEnv<S extends Settings>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): ConfigOf<S> {
  const config: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, setting] of Object.entries(settings)) {
    const parsed = parseSetting(setting, env[setting.env]);
    if (parsed.problem !== undefined) problems.push(parsed.problem);
    config[name] = parsed.value;
  }
  if (problems.length > 0) {
    throw new DomainError("INVALID_ARGUMENT", `configuration: ${problems.join("; ")}`, {
      details: { problems: String(problems.length) },
    });
  }
  return config as ConfigOf<S>;
}

function parseSetting(setting: Setting<unknown>, text = ""): { value?: unknown; problem?: string } {
  if (text === "") {
    return setting.fallback ?? { problem: `${setting.env} is not set: ${setting.reason}` };
  }
  const parsed = setting.schema.safeParse(text);
  if (parsed.success) return { value: parsed.data };
  const shown = setting.show === undefined ? ` is "${text.slice(0, MAX_SHOWN_LENGTH)}"` : "";
  const unit = setting.unit === "-" ? "" : ` (${setting.unit})`;
  return { problem: `${setting.env}${shown}: ${parsed.error.issues.map((issue) => issue.message).join(", ")}${unit}` };
}

/** What a process prints of its configuration when it starts: every setting, redacted, in the order of the table. */
export function describeConfig<S extends Settings>(settings: S, config: ConfigOf<S>): readonly ConfigLine[] {
  return Object.entries(settings).map(([name, setting]) => {
    const value: unknown = config[name];
    return {
      env: setting.env,
      value: showValue(setting, value),
      unit: setting.unit,
      isDefault: setting.fallback !== undefined && setting.fallback.value === value,
    };
  });
}

function showValue(setting: Setting<unknown>, value: unknown): string {
  if (value === undefined || value === "") return "unset";
  return setting.show === undefined ? String(value) : setting.show(value);
}

/** The settings as a Markdown table, for the documentation. */
export function settingsTable(settings: Settings): string {
  const rows = Object.values(settings).map((setting) => {
    const cells = [`\`${setting.env}\``, defaultOf(setting), setting.bounds, setting.unit, setting.reason];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return ["| variable | default | bounds | unit | why |", "|---|---|---|---|---|", ...rows].join("\n");
}

function defaultOf(setting: Setting<unknown>): string {
  if (setting.fallback === undefined) return "required";
  const { value } = setting.fallback;
  return value === undefined || value === "" ? "unset" : `\`${showValue(setting, value)}\``;
}
