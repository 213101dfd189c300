/**
 * @file Writes the tables of docs/settings.md that the services' own settings give, between the page's markers.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { type Settings, settingsTable } from "@parfocal/runtime";
import { aggregateSettings } from "../services/aggregate/src/config.ts";
import { gatewaySettings } from "../services/gateway/src/config.ts";
import { pretrainSettings } from "../services/pretrain/src/config.ts";
import { reembedSettings } from "../services/reembed/src/config.ts";

/** The page with the tables. */
export const SETTINGS_PAGE = new URL("../docs/settings.md", import.meta.url);

const stages = { reembed: reembedSettings, aggregate: aggregateSettings, pretrain: pretrainSettings };

/** What each service reads, by the name of its folder. */
export const SETTINGS_BY_SERVICE: Readonly<Record<string, Settings>> = { gateway: gatewaySettings, ...stages };

const MARKED = /(<!-- settings of ([\w ]+), by npm run generate -->\n).*?(<!-- end -->)/gs;

/**
 * The page with the tables as the services have them now.
 *
 * @throws Error when the page lacks the markers of a table, or has some of a table that there is not.
 */
export function withSettingsTables(page: string): string {
  const tables = tablesByTitle();
  const written = page.replaceAll(MARKED, (_, begin: string, title: string, end: string) => {
    const table = tables.get(title);
    if (!tables.delete(title)) throw new Error(`docs/settings.md: no or a second table of ${title}`);
    return `${begin}\n${table}\n\n${end}`;
  });
  if (tables.size > 0) throw new Error(`docs/settings.md: no markers for settings of ${[...tables.keys()].join(", ")}`);
  return written;
}

/** Writes the tables anew. */
export function writeSettingsPage(): void {
  writeFileSync(SETTINGS_PAGE, withSettingsTables(readFileSync(SETTINGS_PAGE, "utf8")));
}

/** What all services have alike, then all stages, then what is left to each. */
function tablesByTitle(): Map<string, string> {
  const everywhere = commonTo(Object.values(SETTINGS_BY_SERVICE));
  const inStages = without(commonTo(Object.values(stages)), everywhere);
  const groups = [
    ["every service", everywhere],
    ["every stage", inStages],
    ...Object.entries(SETTINGS_BY_SERVICE).map(
      ([name, settings]) => [name, without(without(settings, everywhere), inStages)] as const,
    ),
  ] as const;
  return new Map(groups.map(([title, settings]) => [title, settingsTable(settings)]));
}

/** The settings that all of `tables` have, with the same default, bounds and reason. */
function commonTo([first = {}, ...others]: readonly Settings[]): Settings {
  return pick(first, (name) => others.every((other) => rowOf(other, name) === rowOf(first, name)));
}

/** The settings that are not those of `others`, row by row. */
function without(settings: Settings, others: Settings): Settings {
  return pick(settings, (name) => rowOf(settings, name) !== rowOf(others, name));
}

function pick(settings: Settings, isWanted: (name: string) => boolean): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => isWanted(name)));
}

function rowOf(settings: Settings, name: string): string | undefined {
  const setting = settings[name];
  return setting === undefined ? undefined : settingsTable({ [name]: setting });
}
