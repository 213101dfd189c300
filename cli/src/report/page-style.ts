import { colourVariables } from "./palette.ts";

/** The style of the report page. Light or dark by the reader's preference; prints on white. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;${colourVariables("light")};--good:#00805d;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{${colourVariables("dark")};--good:#3fcfa3;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
main,header,footer{max-width:1040px;margin:0 auto;padding:0 24px}
header{padding-top:48px}
h1{font-size:2rem;line-height:1.2;margin:0 0 12px;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:56px 0 16px;padding-bottom:8px;border-bottom:1px solid var(--line);letter-spacing:-.005em}
h3{font-size:1rem;margin:0 0 10px}
p{margin:0 0 12px;max-width:72ch}
.lede{font-size:1.08rem;color:var(--muted)}
.note{font-size:.875rem;color:var(--muted)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:28px 0 0;padding:0;list-style:none}
.tiles li{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:14px 16px}
.tiles .value{font-size:1.85rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums;display:block}
.tiles .name{color:var(--muted);font-size:.875rem;display:block}
.tiles .interval{color:var(--muted);font-size:.875rem;font-variant-numeric:tabular-nums;display:block}
.scroll{overflow-x:auto;margin:0 0 16px}
table{border-collapse:collapse;width:100%;font-size:.925rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 14px 7px 0;border-bottom:1px solid var(--grid);vertical-align:baseline}
thead th{border-bottom:1px solid var(--faint);font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;white-space:nowrap}
td.number+td:not(.number),th.number+th:not(.number){padding-left:20px}
tbody th{font-weight:400}
.strong th,.strong td{font-weight:600;border-top:1px solid var(--faint)}.strong .note{font-weight:400}
.text{overflow-wrap:anywhere}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:32px 40px;align-items:start}
figure{margin:0}
figure svg{display:block;max-width:100%;height:auto}
figcaption{font-size:.875rem;color:var(--muted);margin-top:8px;overflow-wrap:anywhere}
.ramp{display:flex;align-items:center;gap:10px;font-size:.875rem;color:var(--muted);margin:0 0 20px}
.ramp i{width:180px;height:10px;border-radius:5px;background:var(--ramp)}
.heatmaps{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr));gap:28px 24px}
.heatmaps img{display:block;width:100%;height:300px;object-fit:contain;background:#fafaf8;border:1px solid var(--line);border-radius:8px;padding:8px}
.heatmaps strong{display:block;color:var(--ink)}
.confusion{width:auto;border-collapse:separate;border-spacing:4px}
.confusion th,.confusion td{border:0;padding:6px 10px}
.confusion td{min-width:104px;text-align:center;border-radius:6px;padding:14px 10px;background:color-mix(in srgb,var(--s0) calc(var(--share)*55%),var(--panel))}
.confusion td b{display:block;font-size:1.25rem}
.confusion td span{font-size:.8rem;color:inherit;opacity:.85}
.confusion thead th,.confusion tbody th{text-align:center;min-width:6rem;max-width:11rem;white-space:normal;overflow-wrap:break-word;font-weight:600;vertical-align:middle}
.wide{grid-column:1/-1}
.confusion tbody th{text-align:right}
dl{display:grid;grid-template-columns:minmax(9rem,max-content) 1fr;gap:4px 20px;margin:0;font-size:.925rem}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
code{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}
th button::after{content:"↕";opacity:.35;margin-left:.35em}
th[aria-sort=ascending] button::after{content:"↑";opacity:1}
th[aria-sort=descending] button::after{content:"↓";opacity:1}
.right{color:var(--good)}
.wrong{color:var(--bad);font-weight:600}
.why{display:block;font-size:.8rem;color:var(--muted);max-width:34ch}
.bar{display:inline-block;width:72px;height:8px;border-radius:4px;background:var(--grid);margin-left:10px;overflow:hidden;vertical-align:baseline}
.bar i{display:block;height:100%;background:var(--s0)}
.predictions{max-height:560px;overflow:auto;border:1px solid var(--line);border-radius:8px;padding:0 0 0 14px}
.predictions thead th{position:sticky;top:0;background:var(--paper);padding-top:10px}
.predictions td.text{min-width:9rem}
ul.plain{margin:0;padding-left:1.2em}
footer{margin-top:64px;padding-top:16px;padding-bottom:48px;color:var(--muted);font-size:.875rem}
@media print{:root{${colourVariables("light")}}h2{break-after:avoid}figure,.tiles li{break-inside:avoid}.predictions{max-height:none;overflow:visible}}
`.trim();
