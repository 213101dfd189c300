import { z } from "zod";

/** One setting of a process: where it comes from, what it means and why its default is what it is. */
export interface Setting<T> {
  /** Environment variable. Unset and empty mean the same. */
  readonly env: string;
  /** Turns the variable's text into the value, or says which bound it broke. */
  readonly schema: z.ZodType<T, string>;
  /** Value when the variable is unset; a setting without one is required. */
  readonly fallback?: { readonly value: T };
  /** Unit of the value, e.g. `ms`, `bytes`, `-` for none. */
  readonly unit: string;
  /** What the value may be, in words: for the documentation. */
  readonly bounds: string;
  /** Why it exists and why the default, in one sentence. */
  readonly reason: string;
  /** How the value is shown; secrets show only that they are there. */
  show?(value: T): string;
}

/** What every builder of a setting takes. */
export interface SettingOptions<T> {
  readonly env: string;
  readonly fallback?: T;
  readonly unit?: string;
  readonly reason: string;
}

function build<T>(options: SettingOptions<T>, schema: z.ZodType<T, string>, bounds: string): Setting<T> {
  const { env, reason, unit = "-" } = options;
  // `in`, not `undefined`: a setting may fall back on being absent.
  const fallback = "fallback" in options ? { fallback: { value: options.fallback as T } } : {};
  return { env, reason, schema, unit, bounds, ...fallback };
}

/** A whole number in `[min, max]`. */
export function integerSetting(
  options: SettingOptions<number> & { readonly min: number; readonly max: number },
): Setting<number> {
  const { min, max } = options;
  const text = z.string().regex(/^-?\d{1,15}$/, "expected a whole number");
  return build(options, text.transform(Number).pipe(z.number().int().min(min).max(max)), `${min} to ${max}`);
}

/** The same, where unset means that the thing it sizes is off. */
export function optionalIntegerSetting(
  options: Omit<SettingOptions<number>, "fallback"> & { readonly min: number; readonly max: number },
): Setting<number | undefined> {
  return { ...integerSetting(options), fallback: { value: undefined } } as Setting<number | undefined>;
}

/** A text that matches `pattern`, which `expected` puts in words. */
export function textSetting(
  options: SettingOptions<string> & {
    readonly pattern: RegExp;
    readonly expected: string;
    readonly isSecret?: boolean;
  },
): Setting<string> {
  const { pattern, expected } = options;
  const setting = build(options, z.string().regex(pattern, `expected ${expected}`), expected);
  return options.isSecret ? { ...setting, show: (value) => (value === "" ? "unset" : "set") } : setting;
}

/** `true` or `false`. */
export function flagSetting(options: SettingOptions<boolean>): Setting<boolean> {
  return build(
    options,
    z.enum(["true", "false"]).transform((text) => text === "true") as z.ZodType<boolean, string>,
    "`true` or `false`",
  );
}

/** One of a closed list. */
export function choiceSetting<const T extends string>(
  options: SettingOptions<NoInfer<T>> & { readonly choices: readonly [T, ...T[]] },
): Setting<T> {
  const bounds = options.choices.map((choice) => `\`${choice}\``).join(", ");
  return build<T>(options, z.enum(options.choices) as unknown as z.ZodType<T, string>, bounds);
}
