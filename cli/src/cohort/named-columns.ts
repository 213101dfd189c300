import { SettingError, type SettingPlace } from "../setting-error.ts";
import { formOf, type LabelWish, namesOf } from "./label-reader.ts";
import { missingColumnText } from "./missing-column.ts";
import { findColumn, type TextTable } from "./read-table.ts";

/** Columns of a labels table by name; absent: the usual names. */
export interface ColumnWish extends LabelWish {
  readonly siteColumn?: string;
  readonly foldColumn?: string;
}

interface NamedColumn {
  readonly place: SettingPlace;
  readonly name: string;
}

/** Columns that somebody named and the table has not, each with the setting that names it. Columns that are not read do not count. */
export function missingColumns(table: TextTable, wish: ColumnWish): SettingError[] {
  return namedColumns(table, wish)
    .filter(({ name }) => findColumn(table, [name]) < 0)
    .map(({ place, name }) => new SettingError(place, missingColumnText(table, name)));
}

function namedColumns(table: TextTable, wish: ColumnWish): NamedColumn[] {
  const { timeColumn, eventColumn, siteColumn, foldColumn } = wish;
  const isEvents = formOf(table, wish) === "events";
  return [
    ...(isEvents
      ? [...named("timeColumn", timeColumn), ...named("eventColumn", eventColumn)]
      : labelColumns(table, wish)),
    ...named("siteColumn", siteColumn),
    ...named("foldColumn", foldColumn),
  ];
}

/** Several where the task takes several; a single column may have a comma in its name. */
function labelColumns(table: TextTable, wish: LabelWish): NamedColumn[] {
  const { labelColumn, isMultilabel = false } = wish;
  if (labelColumn === undefined || findColumn(table, [labelColumn]) >= 0) return [];
  const names = namesOf(labelColumn);
  if (names.length === 1) return named("labelColumn", labelColumn);
  // Of several where one is taken the reader says more than that they are not there.
  if (!isMultilabel && formOf(table, wish) !== "numbers") return [];
  return names.map((name, index) => ({ place: { setting: "labelColumn", index }, name }));
}

function named(setting: SettingPlace["setting"], name: string | undefined): NamedColumn[] {
  return name === undefined ? [] : [{ place: { setting }, name }];
}
