"use strict";

// Sorting: a click on a head sorts by it, a second click the other way round. Cells without a number come last.
function key(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text;
}

function compare(a, b) {
  if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
  return typeof a === "number" ? -1 : 1;
}

function sortBy(table, head) {
  const column = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
  const text = rows.filter(([value]) => typeof value === "string");
  const numbers = rows.filter(([value]) => typeof value === "number");
  const order = numbers.length ? [numbers, text] : [text];
  for (const part of order) part.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
  table.tBodies[0].append(...order.flat().map(([, row]) => row));
}

// Filtering: the rows that have every word.
function filter(section, words) {
  const rows = [...section.querySelector("tbody").rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const shown = rows.filter((row) => !row.hidden).length;
  section.querySelector(".count").textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
}

for (const table of document.querySelectorAll("table.data")) {
  const section = table.closest("section");
  const input = section.querySelector("input");
  for (const head of table.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => sortBy(table, head));
  input.addEventListener("input", () => filter(section, input.value.toLowerCase().split(/\s+/).filter(Boolean)));
  filter(section, []);
}

// A number that comes from several records marks them all.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-records]");
  if (!link) return;
  const section = document.getElementById("records");
  section.querySelector("input").value = "";
  filter(section, []);
  for (const row of section.querySelectorAll("tr.marked")) row.classList.remove("marked");
  for (const id of link.dataset.records.split(" ")) document.getElementById(id)?.classList.add("marked");
});
