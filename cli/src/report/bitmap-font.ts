import type { Rgb } from "./colormap.ts";
import { fillInto, type Picture } from "./picture.ts";

/** Columns and rows of a glyph. */
const GLYPH_WIDTH = 5;
export const GLYPH_HEIGHT = 7;

/** Seven rows of five bits each, in base 32: enough letters for a legend without a font file. Unknown characters are blank. */
const GLYPHS: Readonly<Record<string, string>> = {
  "0": "ehjlphe",
  "1": "4c4444e",
  "2": "eh1248v",
  "3": "v2421he",
  "4": "26aiv22",
  "5": "vgu11he",
  "6": "68guhhe",
  "7": "v124888",
  "8": "ehhehhe",
  "9": "ehhf12c",
  ".": "00000cc",
  "-": "000v000",
  "+": "044v440",
  "%": "op248j3",
  a: "00e1fhf",
  c: "00eggge",
  d: "11fhhhf",
  e: "00ehvge",
  h: "ggmphhh",
  i: "40c444e",
  k: "ggikoki",
  l: "c44444e",
  n: "00mphhh",
  o: "00ehhhe",
  p: "00uhugg",
  r: "00mpggg",
  t: "88s8896",
  w: "00hhlla",
};

/** Width in pixels of `text` at `scale`, without the gap after its last character. */
export function textWidth(text: string, scale: number): number {
  return Math.max(0, text.length * (GLYPH_WIDTH + 1) - 1) * scale;
}

/** Writes `text` into `picture` with its top left at (left, top); what lies outside is cut off. */
export function drawTextInto(
  picture: Picture,
  text: string,
  place: { left: number; top: number; scale: number; colour: Rgb },
): void {
  const { left, top, scale, colour } = place;
  Array.from(text).forEach((character, i) => {
    const rows = GLYPHS[character] ?? "";
    Array.from(rows).forEach((digit, row) => {
      const bits = Number.parseInt(digit, 32);
      for (let column = 0; column < GLYPH_WIDTH; column += 1) {
        if (((bits >> (GLYPH_WIDTH - 1 - column)) & 1) === 0) continue;
        const x = left + (i * (GLYPH_WIDTH + 1) + column) * scale;
        fillInto(picture, { left: x, top: top + row * scale, width: scale, height: scale }, colour);
      }
    });
  });
}
