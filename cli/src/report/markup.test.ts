import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeMarkup, markup, trusted } from "./markup.ts";

describe("markup", () => {
  it("escapes every interpolated string, in text and in attributes", () => {
    const hostile = `<script>alert("x")</script>'&`;
    expect(markup`<a title="${hostile}">${hostile}</a>`.text).toBe(
      '<a title="&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;">&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;</a>',
    );
  });

  it("nests markup, joins lists and prints nothing for nothing", () => {
    const items = ["a", "b"].map((item) => markup`<li>${item}</li>`);
    expect(markup`<ul>${items}</ul>${null}${undefined}${false}${0}${trusted("<hr>")}`.text).toBe(
      "<ul><li>a</li><li>b</li></ul>0<hr>",
    );
  });

  it("does not take an object that looks like markup for markup", () => {
    const forged = { text: "<script>" } as unknown as string;
    expect(() => markup`${forged}`.text).toThrow();
  });

  it("replaces what XML cannot hold: control characters and half surrogates", () => {
    expect(escapeMarkup("a\u0000b\u0008c\ud800d\te")).toBe("a\ufffdb\ufffdc\ufffdd\te");
  });

  it("never lets a markup character through", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const escaped = escapeMarkup(text).replaceAll(/&(amp|lt|gt|quot|#39);/g, "");
        expect(escaped).not.toMatch(/[<>"'&]/);
      }),
    );
  });
});
