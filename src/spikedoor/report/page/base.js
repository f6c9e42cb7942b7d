"use strict";
const told = JSON.parse(document.getElementById("data").textContent);
const INKS = ["a", "b", "c", "d", "e", "f", "g"];
const DASHES = ["none", "7 3", "2 3"];
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/* The tooltip, shared by all marks: by the pointer, and by the arrow keys in a drawing. */
const tip = element("div", { id: "tip", role: "status" });
document.body.append(tip);
function tell(text, x, y) {
  tip.textContent = text;
  tip.style.opacity = 1;
  tip.style.left = `${Math.max(Math.min(x + 12, innerWidth - tip.offsetWidth - 8), 8)}px`;
  tip.style.top = `${Math.max(y - tip.offsetHeight - 12, 8)}px`;
}
function hush() { tip.style.opacity = 0; }
function explain(mark, text) {
  mark.setAttribute("aria-label", text);
  mark.addEventListener("pointerenter", (event) => tell(text, event.clientX, event.clientY));
  mark.addEventListener("pointerleave", hush);
}
/* Rows of marks: left and right go along one, up and down to the next that is shown. */
function browse(svg, rows) {
  let [row, place, mark] = [0, -1, null];
  const shown = () => rows.filter((marks) => marks.length && marks[0].parentNode.style.display !== "none");
  function leave() {
    if (mark) mark.classList.remove("here");
    hush();
  }
  svg.setAttribute("tabindex", 0);
  svg.setAttribute("role", "application");
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const known = shown();
    if (event.key === "Escape") leave();
    if (!step || !known.length) return;
    event.preventDefault();
    leave();
    row = (Math.min(row, known.length - 1) + step[0] + known.length) % known.length;
    place = Math.min(Math.max(place + step[1], 0), known[row].length - 1);
    mark = known[row][place];
    mark.classList.add("here");
    mark.scrollIntoView({ block: "nearest", inline: "nearest" });
    const box = mark.getBoundingClientRect();
    tell(mark.getAttribute("aria-label"), box.right, box.top);
  });
}

