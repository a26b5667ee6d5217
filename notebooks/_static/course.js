// Loaded with "defer": the page is there, its formulas perhaps not yet.
"use strict";

// Wide tables scroll in a box of their own.
document.querySelectorAll(".bd-article table").forEach((table) => {
  if (table.closest(".scrolls, .pst-scrollable-table-container")) return;
  const box = document.createElement("div");
  box.className = "scrolls";
  table.replaceWith(box);
  box.append(table);
});

// A number stays on a line with its uncertainty.
document.querySelectorAll(".cell_output td").forEach((cell) => {
  if (cell.textContent.trim().length <= 16) cell.style.whiteSpace = "nowrap";
});

// What scrolls sideways is to be reached by keyboard, too.
const SCROLLS = ".scrolls, .pst-scrollable-table-container, .bd-article div.math, .bd-article pre, .cell_output";
const reach = () => document.querySelectorAll(SCROLLS).forEach((box) => {
  if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
});
addEventListener("load", async () => {
  if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
  reach();
});
addEventListener("resize", reach);

// Labels that hide the words which are seen: whoever says "Show the code" to a machine should be understood.
document.querySelectorAll(".bd-article summary[aria-label], .search-button-field[aria-label]")
  .forEach((one) => one.removeAttribute("aria-label"));

// An arrow in the sidebar has no words at all.
document.querySelectorAll("nav.bd-links summary").forEach((arrow) => {
  const title = arrow.closest("li")?.querySelector("a")?.textContent.trim();
  arrow.setAttribute("aria-label", `Pages under ${title}`);
});
