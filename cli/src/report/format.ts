import type { Estimate, Interval } from "@parfocal/metrics";

/** What stands for a value that does not exist. */
export const NOTHING = "–";

/** A metric: 3 decimals, or {@link NOTHING}. */
export function formatMetric(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value) ? NOTHING : minus(value.toFixed(3));
}

/** An interval as "0.469 – 0.977", or {@link NOTHING}. */
export function formatInterval(interval: Interval | null | undefined): string {
  return interval ? `${formatMetric(interval.low)} – ${formatMetric(interval.high)}` : NOTHING;
}

/** "0.860 (0.469 – 0.977)", without the brackets where there is no interval. */
export function formatEstimate(estimate: Estimate | undefined): string {
  const value = formatMetric(estimate?.value);
  return estimate?.interval ? `${value} (${formatInterval(estimate.interval)})` : value;
}

/** A whole number with thousands separated: "12,345". */
export function formatCount(value: number): string {
  return minus(
    Math.round(value)
      .toString()
      .replace(/\B(?=(\d{3})+$)/g, ","),
  );
}

/** A share as a percentage with 1 decimal: "62.5 %", or {@link NOTHING} for 0 of 0. */
export function formatShare(part: number, whole: number): string {
  return whole === 0 ? NOTHING : `${((100 * part) / whole).toFixed(1)} %`;
}

/** Any magnitude in 4 significant digits, powers of ten below 0.001 and from 1 000 000: "0.01234", "1.2e-5". */
export function formatSignificant(value: number): string {
  if (!Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return minus(value.toExponential(2).replace("e+", "e"));
  return minus(String(Number(value.toPrecision(4))));
}

/** "1 slide", "12,000 slides". */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Typographic minus, which is as wide as a digit. */
function minus(text: string): string {
  return text.replace(/^-/, "−").replace("e-", "e−");
}
