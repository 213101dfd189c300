/**
 * Colours of lines and classes, told apart with the common colour-vision deficiencies, in light and dark. Lines also differ
 * by dash, so that nothing depends on colour alone.
 *
 * Source: Okabe & Ito 2008, "Color universal design"; the dark variants are lightened to 4.5:1 on the dark background.
 */
const SERIES: readonly { readonly light: string; readonly dark: string; readonly dash: string }[] = [
  { light: "#0067a5", dark: "#6cbcf0", dash: "" },
  { light: "#c8500a", dark: "#ff9a5c", dash: "" },
  { light: "#00805d", dark: "#3fcfa3", dash: "" },
  { light: "#a8447f", dark: "#ee9cca", dash: "" },
  { light: "#8a6a00", dark: "#e8c04a", dash: "" },
  { light: "#0067a5", dark: "#6cbcf0", dash: "6 4" },
  { light: "#c8500a", dark: "#ff9a5c", dash: "6 4" },
  { light: "#00805d", dark: "#3fcfa3", dash: "6 4" },
];

/** Tokens that the page and every chart share; a chart carries them too, so that it stands alone as a file. */
const COLOUR_TOKENS = {
  light: {
    ink: "#1b2230",
    muted: "#5c6675",
    faint: "#8b94a3",
    line: "#d9dee5",
    grid: "#eceff3",
    paper: "#ffffff",
    panel: "#f6f8fa",
  },
  dark: {
    ink: "#e8ebf0",
    muted: "#a7b0be",
    faint: "#7d8796",
    line: "#3a424f",
    grid: "#272e38",
    paper: "#14181f",
    panel: "#1b2029",
  },
} as const;

/** Declarations of all tokens and series colours as CSS variables, for one scheme. */
export function colourVariables(scheme: "light" | "dark"): string {
  const tokens = Object.entries(COLOUR_TOKENS[scheme]).map(([name, value]) => `--${name}:${value}`);
  const series = SERIES.map((each, i) => `--s${i}:${each[scheme]}`);
  return [...tokens, ...series].join(";");
}

/** Series style by index; further series repeat from the start. */
export function seriesStyle(index: number): { readonly colour: string; readonly dash: string } {
  const place = index % SERIES.length;
  return { colour: `var(--s${place})`, dash: SERIES[place]?.dash ?? "" };
}
