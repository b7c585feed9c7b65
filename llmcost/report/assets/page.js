"use strict";
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const downward = head.getAttribute("aria-sort") !== "descending";
      const value = (row) => row.cells[column].dataset.value;
      const numbers = button.dataset.kind === "number";
      const compare = (a, b) => {
        const [left, right] = [value(a), value(b)];
        return numbers ? (left === "" ? -1 : Number(left)) - (right === "" ? -1 : Number(right)) : left.localeCompare(right);
      };
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((a, b) => (downward ? compare(b, a) : compare(a, b)));
      body.append(...rows);
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", downward ? "descending" : "ascending");
    });
  });
}
