import { describe, expect, it } from "vitest";
import { commonSettings } from "./common-settings.ts";
import { describeConfig, parseEnv, settingsTable } from "./parse-env.ts";
import { choiceSetting, flagSetting, integerSetting, optionalIntegerSetting, textSetting } from "./setting.ts";

const settings = {
  workers: integerSetting({
    env: "WORKERS",
    fallback: 2,
    min: 1,
    max: 8,
    unit: "threads",
    reason: "Two cores are usual.",
  }),
  budget: optionalIntegerSetting({ env: "BUDGET", min: 0, max: 10, unit: "bytes", reason: "Off unless asked for." }),
  mode: choiceSetting({ env: "MODE", choices: ["fast", "safe"], fallback: "safe", reason: "Safety first." }),
  verbose: flagSetting({ env: "VERBOSE", fallback: false, reason: "Quiet." }),
  token: textSetting({
    env: "TOKEN",
    pattern: /^\w+$/,
    expected: "letters and digits",
    isSecret: true,
    reason: "Who we are.",
  }),
};

/** The message that the environment is refused with. */
function refusal(env: Record<string, string>): string {
  try {
    parseEnv(settings, { TOKEN: "abc", ...env });
  } catch (error) {
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    return (error as Error).message;
  }
  return expect.unreachable();
}

describe("parseEnv", () => {
  it("gives defaults, and values of their type", () => {
    expect(parseEnv(settings, { TOKEN: "abc" })).toEqual({
      workers: 2,
      budget: undefined,
      mode: "safe",
      verbose: false,
      token: "abc",
    });
    const env = { TOKEN: "abc", WORKERS: "8", BUDGET: "0", MODE: "fast", VERBOSE: "true", OTHER: "ignored" };
    expect(parseEnv(settings, env)).toEqual({ workers: 8, budget: 0, mode: "fast", verbose: true, token: "abc" });
  });

  it("takes an empty variable for an unset one", () => {
    expect(parseEnv(settings, { TOKEN: "abc", WORKERS: "" }).workers).toBe(2);
  });

  it("names the variable, the value and the bound it broke", () => {
    expect(refusal({ WORKERS: "9" })).toMatch(/WORKERS is "9": .*<=8 \(threads\)/);
    expect(refusal({ WORKERS: "0" })).toMatch(/WORKERS is "0": .*>=1/);
    expect(refusal({ MODE: "quick" })).toMatch(/MODE is "quick": .*"fast"\|"safe"/);
    expect(refusal({ VERBOSE: "yes" })).toMatch(/VERBOSE is "yes": .*"true"\|"false"/);
  });

  it.each(["1.5", "1e3", "0x10", " 4", "four", "NaN", "9".repeat(30)])("refuses %s as a whole number", (text) => {
    expect(refusal({ WORKERS: text })).toContain("WORKERS");
  });

  it("names everything that is wrong at once", () => {
    expect(refusal({ WORKERS: "0", MODE: "quick" })).toMatch(/WORKERS.*; MODE/);
  });

  it("says which required variable is missing and what it is for", () => {
    expect(() => parseEnv(settings, {})).toThrow("TOKEN is not set: Who we are.");
  });

  it("never shows a secret, wrong or right, and cuts long values", () => {
    expect(refusal({ TOKEN: "s3cret!" })).not.toContain("s3cret");
    const lines = describeConfig(settings, parseEnv(settings, { TOKEN: "s3cret" }));
    expect(lines.find((line) => line.env === "TOKEN")?.value).toBe("set");
    expect(refusal({ MODE: "x".repeat(5000) }).length).toBeLessThan(300);
  });
});

describe("describeConfig", () => {
  it("shows every setting with its unit and whether it is the default", () => {
    expect(describeConfig(settings, parseEnv(settings, { TOKEN: "abc", WORKERS: "8" }))).toEqual([
      { env: "WORKERS", value: "8", unit: "threads", isDefault: false },
      { env: "BUDGET", value: "unset", unit: "bytes", isDefault: true },
      { env: "MODE", value: "safe", unit: "-", isDefault: true },
      { env: "VERBOSE", value: "false", unit: "-", isDefault: true },
      { env: "TOKEN", value: "set", unit: "-", isDefault: false },
    ]);
  });
});

describe("the settings every service has", () => {
  const common = commonSettings(50051);

  it("start without any variable, on loopback", () => {
    expect(parseEnv(common, {})).toMatchObject({ host: "127.0.0.1", port: 50_051, allowRemote: false, device: "cpu" });
  });

  it("keep the name of the bucket to themselves", () => {
    const lines = describeConfig(common, parseEnv(common, { PARFOCAL_STORE: "s3://hospital-bucket/prefix" }));
    expect(JSON.stringify(lines)).not.toContain("hospital");
    expect(() => parseEnv(common, { PARFOCAL_STORE: "s3:/hospital-bucket" })).toThrow(/^((?!hospital).)*$/);
  });

  it.each([
    ["PARFOCAL_DEVICE", "gpu"],
    ["PARFOCAL_DEVICE", "cuda"],
    ["PARFOCAL_STORE", "ftp://host/x"],
    ["PORT", "65536"],
    ["HOST", "a b"],
  ])("refuse %s=%s", (name, value) => {
    expect(() => parseEnv(common, { [name]: value })).toThrow(name);
  });

  it("have one variable each", () => {
    const names = Object.values(common).map((setting) => setting.env);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("settingsTable", () => {
  it("has a row for each setting: default, bounds, unit and reason", () => {
    expect(settingsTable(settings).split("\n")).toEqual([
      "| variable | default | bounds | unit | why |",
      "|---|---|---|---|---|",
      "| `WORKERS` | `2` | 1 to 8 | threads | Two cores are usual. |",
      "| `BUDGET` | unset | 0 to 10 | bytes | Off unless asked for. |",
      "| `MODE` | `safe` | `fast`, `safe` | - | Safety first. |",
      "| `VERBOSE` | `false` | `true` or `false` | - | Quiet. |",
      "| `TOKEN` | required | letters and digits | - | Who we are. |",
    ]);
  });

  it("keeps a bar inside its cell", () => {
    const piped = textSetting({ env: "A", fallback: "", pattern: /^[ab]$/, expected: "a|b", reason: "Either." });
    expect(settingsTable({ piped })).toContain("| `A` | unset | a\\|b | - | Either. |");
  });
});
