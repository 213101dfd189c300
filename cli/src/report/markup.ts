/** Marks text that is already markup. Only {@link markup} and {@link trusted} make one, so a plain string can never pass for it. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text is escaped, markup is not, lists are joined, nothing prints nothing. */
export type Fragment = string | number | Markup | readonly Fragment[] | null | undefined | false;

/**
 * Template tag for HTML and SVG: every interpolated string is escaped, for text and for quoted attributes alike.
 * Attributes must therefore be quoted in the template.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Fragment[]): Markup {
  return new Markup(strings.reduce((text, part, i) => text + part + (i < values.length ? print(values[i]) : ""), ""));
}

/** Vouches for `text` as markup: constants of this package and base64, never anything a user named. */
export function trusted(text: string): Markup {
  return new Markup(text);
}

/** `text` safe in HTML and XML, in elements and in quoted attributes. Characters that XML forbids become U+FFFD. */
export function escapeMarkup(text: string): string {
  return text
    .toWellFormed()
    .replace(FORBIDDEN_IN_XML, "\uFFFD")
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters but tab, line feed and carriage return; and the two non-characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing control characters is its purpose
const FORBIDDEN_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

function print(value: Fragment): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string") return escapeMarkup(value);
  if (typeof value === "number") return String(value);
  return value.map(print).join("");
}
