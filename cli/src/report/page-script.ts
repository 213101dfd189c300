/** Sorts a table by the column whose heading is pressed: numbers by `data-sort`, text by locale. A constant: no data enters it. */
export const PAGE_SCRIPT = `
document.querySelectorAll("table[data-sortable] th button").forEach((button) => {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const isAscending = heading.getAttribute("aria-sort") !== "ascending";
    const column = [...heading.parentElement.children].indexOf(heading);
    heading.parentElement.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
    const body = heading.closest("table").tBodies[0];
    const key = (row) => row.children[column].dataset.sort ?? row.children[column].textContent;
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      const isNumeric = x !== "" && y !== "" && !Number.isNaN(Number(x)) && !Number.isNaN(Number(y));
      return isNumeric ? Number(x) - Number(y) : x.localeCompare(y);
    };
    const rows = [...body.rows].sort((a, b) => (isAscending ? compare(a, b) : compare(b, a)));
    body.append(...rows);
  });
});
`.trim();
