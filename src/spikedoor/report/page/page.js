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
const percent = (value) => (100 * value).toFixed(1);

/* The tooltip, shared by all marks. */
const tip = element("div", { id: "tip", role: "status" });
document.body.append(tip);
function explain(mark, text) {
  mark.setAttribute("aria-label", text);
  mark.addEventListener("pointerenter", (event) => {
    tip.textContent = text;
    tip.style.opacity = 1;
    tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 12, 8)}px`;
  });
  mark.addEventListener("pointerleave", () => { tip.style.opacity = 0; });
}

/* A table that sorts by a click on a head and is filtered by words. */
function table(into, { columns, rows }) {
  const filter = element("input", { type: "search", placeholder: "Filter rows, such as LR_C patch", "aria-label": "Filter rows" });
  const head = element("tr");
  const body = element("tbody");
  let order = null;
  const cell = (value) => {
    if (value === null) return element("td", {}, "–");
    if (typeof value === "object") {
      const made = element("td", { class: "number" }, value.text);
      if (value.small) made.append(element("small", {}, value.small));
      return made;
    }
    return element("td", typeof value === "number" ? { class: "number" } : {}, String(value));
  };
  const worth = (value) => (value !== null && typeof value === "object" ? value.value : value);
  const words = (row) => row.map((value) => (value !== null && typeof value === "object" ? value.text : value)).join(" ").toLowerCase();
  function draw() {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = rows.filter((row) => wanted.every((word) => words(row).includes(word)));
    if (order) {
      const [column, sign] = order;
      shown.sort((one, other) => {
        const [x, y] = [worth(one[column]), worth(other[column])];
        if (x === null || y === null) return (x === null) - (y === null);
        if (typeof x === "number" && typeof y === "number") return sign * (x - y);
        return sign * String(x).localeCompare(String(y));
      });
    }
    body.replaceChildren(...shown.map((row) => element("tr", {}, ...row.map(cell))));
  }
  columns.forEach((name, i) => {
    const numeric = rows.some((row) => typeof worth(row[i]) === "number");
    const button = element("button", { type: "button" }, name);
    const title = element("th", numeric ? { class: "number", scope: "col" } : { scope: "col" }, button);
    button.addEventListener("click", () => {
      const sign = order && order[0] === i ? -order[1] : 1;
      order = [i, sign];
      for (const other of head.children) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      draw();
    });
    head.append(title);
  });
  filter.addEventListener("input", draw);
  draw();
  into.append(filter, element("div", { class: "scroll", tabindex: 0 }, element("table", {}, element("thead", {}, head), body)));
}

/* Series of points with intervals over a number, or over names. */
function chart(into, { title, note, x, y, log, names, limits, raw, series }) {
  const wide = names && names.length > 8;
  const [width, height, left, right, top, bottom] = [wide ? 960 : 460, 270, 40, 12, 12, names ? 62 : 38];
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  const points = series.flatMap((one) => one.points);
  const scale = log && points.every((point) => point.x > 0) ? Math.log10 : (value) => value;
  const xs = points.map((point) => scale(point.x));
  let [from, to] = names ? [-0.5, names.length - 0.5] : [Math.min(...xs), Math.max(...xs)];
  const loose = series.some((one) => one.loose);
  if (loose) [from, to] = [0, 100];
  if (from === to) [from, to] = [from - 0.5, to + 0.5];
  const [low, high] = limits || [0, 1];
  const across = (value) => left + ((scale(value) - from) / (to - from)) * (width - left - right);
  const up = (value) => height - bottom - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (height - top - bottom);
  for (let i = 0; i <= 4; i++) {
    const level = low + (i / 4) * (high - low);
    svg.append(shape("line", { x1: left, x2: width - right, y1: up(level), y2: up(level), class: "axis" }));
    const text = raw ? Number(level.toPrecision(2)) : Math.round(100 * level);
    svg.append(shape("text", { x: left - 6, y: up(level) + 4, "text-anchor": "end" }, String(text)));
  }
  const ticks = names ? names.map((_, i) => i) : loose ? [0, 25, 50, 75, 100] : [...new Set(points.map((point) => point.x))].sort((one, other) => one - other);
  const every = Math.ceil(ticks.length / 8);
  ticks.forEach((value, i) => {
    if (!names && i % every && i !== ticks.length - 1) return;
    const [column, row] = [across(value), height - bottom + 16];
    const turned = names ? { "text-anchor": "end", transform: `rotate(-28 ${column} ${row})` } : { "text-anchor": "middle" };
    svg.append(shape("text", { x: column, y: row, ...turned }, names ? names[value] : String(Number(Number(value).toPrecision(4)))));
  });
  if (x) svg.append(shape("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x));
  const legend = element("div", { class: "legend" });
  series.forEach((one, i) => {
    const ink = `var(--${one.ink || INKS[i % INKS.length]})`;
    const group = shape("g", {});
    const shift = names ? (i - (series.length - 1) / 2) * Math.min(9, 300 / names.length / series.length) : 0;
    const here = (point) => across(point.x) + shift;
    const sorted = [...one.points].sort((first, second) => first.x - second.x);
    const dense = sorted.length > 24;
    if (!names && !one.loose) {
      const band = [...sorted.map((p) => [here(p), up(p.high)]), ...[...sorted].reverse().map((p) => [here(p), up(p.low)])];
      if (dense) group.append(shape("polygon", { points: band.join(" "), fill: ink, opacity: 0.15 }));
      group.append(shape("polyline", { points: sorted.map((p) => [here(p), up(p.y)]).join(" "), fill: "none", stroke: ink, "stroke-width": 2, "stroke-dasharray": one.dashed ? "5 4" : DASHES[Math.floor(i / INKS.length) % DASHES.length] }));
    }
    for (const point of sorted) {
      const line = { stroke: ink, "stroke-width": 1.2, opacity: one.loose ? 0.35 : 1 };
      if (!dense) group.append(shape("line", { ...line, x1: here(point), x2: here(point), y1: up(point.low), y2: up(point.high) }));
      if (one.loose && point.left !== undefined) group.append(shape("line", { ...line, x1: across(point.left), x2: across(point.right), y1: up(point.y), y2: up(point.y) }));
      const mark = shape("circle", { cx: here(point), cy: up(point.y), r: dense ? 2.5 : 4, fill: one.dashed ? "var(--paper)" : ink, stroke: ink, "stroke-width": 1.5 });
      explain(mark, `${one.name}\n${point.told}`);
      group.append(mark);
    }
    svg.append(group);
    const swatch = element("i");
    swatch.style.background = ink;
    const button = element("button", { type: "button", "aria-pressed": "true" }, swatch, one.name);
    button.addEventListener("click", () => {
      const shown = group.style.display === "none";
      group.style.display = shown ? "" : "none";
      button.setAttribute("aria-pressed", String(shown));
    });
    legend.append(button);
  });
  const made = element("figure", { class: wide ? "chart wide" : "chart" }, element("h3", {}, title));
  if (y) made.append(element("div", { class: "note" }, y));
  made.append(svg, legend);
  if (note) made.append(element("figcaption", { class: "note" }, note));
  into.append(made);
}

function gallery(into, { title, kinds }) {
  into.append(element("h3", {}, title));
  const row = element("div", { class: "gallery" });
  for (const sample of kinds) {
    const column = element("div");
    for (const [name, source] of sample.pictures) column.append(element("img", { src: source, alt: `${name}, class ${sample.label}`, title: name }));
    column.append(`class ${sample.label}`);
    row.append(column);
  }
  into.append(row, element("p", { class: "note" }, "From above: clean, triggered, difference."));
}

/* The page, section by section. */
document.title = told.title;
document.getElementById("title").textContent = told.title;
document.getElementById("question").textContent = told.question;
document.getElementById("verdict").textContent = told.verdict;
const main = document.getElementById("sections");
for (const section of told.sections) {
  const made = element("section", {}, element("h2", {}, section.title));
  if (section.note) made.append(element("p", { class: "note" }, section.note));
  if (section.table) table(made, section.table);
  if (section.charts) {
    const grid = element("div", { class: "charts" });
    section.charts.forEach((one) => chart(grid, one));
    made.append(grid);
  }
  for (const one of section.galleries || []) gallery(made, one);
  for (const one of section.texts || []) made.append(element("details", one.open ? { open: "" } : {}, element("summary", {}, one.title), element("pre", {}, one.text)));
  main.append(made);
}
const theme = document.getElementById("theme");
theme.addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
});
