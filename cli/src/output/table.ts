/** A column of a table. */
export interface TableColumn {
  readonly title: string;
  /** Numbers stand at the right; default left. */
  readonly align?: "left" | "right";
}

const GAP = "  ";

/** A table as text: a heading, a rule and a line per row, columns as wide as their widest cell. Ends in a line break. */
export function renderTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) =>
    rows.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), title.length),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const [cell, width] = [cells[i] ?? "", widths[i] ?? 0];
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(GAP)
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join(GAP);
  return [line(columns.map(({ title }) => title)), rule, ...rows.map(line), ""].join("\n");
}
