/* Series of points with intervals over a number, or over names. */
function chart(into, { title, note, x, y, log, names, limits, raw, small, series }) {
  const wide = names && names.length > 8;
  const [width, height, left, right, top, bottom] = [wide ? 960 : small ? 300 : 460, small ? 200 : 270, wide ? Math.max(40, 6 * names[0].length - 20) : 40, 12, 12, names ? 30 + 3.2 * Math.max(...names.map((name) => name.length)) : 38];
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-label": `${title}; arrow keys tell the values` });
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
  const every = Math.ceil(ticks.length / (small ? 5 : 8));
  ticks.forEach((value, i) => {
    if (!names && i % every && i !== ticks.length - 1) return;
    const [column, row] = [across(value), height - bottom + 16];
    const turned = names ? { "text-anchor": "end", transform: `rotate(-28 ${column} ${row})` } : { "text-anchor": "middle" };
    svg.append(shape("text", { x: column, y: row, ...turned }, names ? names[value] : String(Number(Number(value).toPrecision(4)))));
  });
  if (x) svg.append(shape("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x));
  const legend = element("div", { class: "legend" });
  const rows = [];
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
    rows.push(sorted.map((point) => {
      const line = { stroke: ink, "stroke-width": 1.2, opacity: one.loose ? 0.35 : 1 };
      if (!dense) group.append(shape("line", { ...line, x1: here(point), x2: here(point), y1: up(point.low), y2: up(point.high) }));
      if (one.loose && point.left !== undefined) group.append(shape("line", { ...line, x1: across(point.left), x2: across(point.right), y1: up(point.y), y2: up(point.y) }));
      const mark = shape("circle", { cx: here(point), cy: up(point.y), r: dense ? 2.5 : 4, fill: one.dashed ? "var(--paper)" : ink, stroke: ink, "stroke-width": 1.5 });
      explain(mark, `${one.name}\n${point.told}`);
      group.append(mark);
      return mark;
    }));
    svg.append(group);
    const swatch = element("i");
    if (one.dashed) swatch.style.border = `2px solid ${ink}`;
    else swatch.style.background = ink;
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
  browse(svg, rows);
  made.append(wide ? element("div", { class: "across" }, svg) : svg, legend);
  if (note) made.append(element("figcaption", { class: "note" }, note));
  into.append(made);
}

