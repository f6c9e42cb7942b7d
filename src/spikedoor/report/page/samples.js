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

/* Recordings in time: all of them at the same moment, clean above triggered. */
function player(into, { title, clean, triggered, labels, frames, size, window: lasts, counts }) {
  const [width, height] = size;
  const made = element("figure", { class: "player", "aria-label": `${title}, in time` });
  const row = element("div", { class: "gallery" });
  const screens = [];
  labels.forEach((label, i) => {
    const column = element("div");
    [clean, triggered].forEach((source, k) => {
      const name = `${k ? "triggered" : "clean"}, class ${label}`;
      const screen = element("canvas", { width, height, role: "img", "aria-label": name, title: name });
      screens.push([screen.getContext("2d"), k, i]);
      column.append(screen);
    });
    column.append(`class ${label}`);
    row.append(column);
  });
  const slider = element("input", { type: "range", min: 0, max: frames - 1, value: 0, "aria-label": "Time" });
  const time = element("output");
  const button = element("button", { type: "button" }, "Play");
  const sheets = [clean, triggered].map((source) => Object.assign(new Image(), { src: source }));
  let timer = null;
  function draw() {
    const at = Number(slider.value);
    const told = `${(at * lasts).toFixed(0)} to ${((at + 1) * lasts).toFixed(0)} ms`;
    time.textContent = `${told}: ${counts[0][at]} events clean, ${counts[1][at]} triggered`;
    slider.setAttribute("aria-valuetext", told);
    for (const [context, k, i] of screens) context.drawImage(sheets[k], at * width, i * height, width, height, 0, 0, width, height);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "Pause";
    timer = setInterval(() => {
      slider.value = (Number(slider.value) + 1) % frames;
      draw();
    }, 120);
  });
  slider.addEventListener("input", () => { stop(); draw(); });
  Promise.all(sheets.map((sheet) => sheet.decode())).then(draw);
  made.append(row, element("div", { class: "controls" }, button, slider, time));
  made.append(element("figcaption", { class: "note" }, `Above clean, below triggered; ON events orange, OFF events blue. Played ${Number((120 / lasts).toPrecision(2))} times slower than recorded.`));
  into.append(made);
}

/* Output neurons of one sample: membrane before the reset above, spikes below, clean beside triggered. */
function traces(into, { title, classes, left, pictures, stages }) {
  into.append(element("h3", {}, title));
  const row = element("div", { class: "gallery" });
  for (const [name, source] of pictures) row.append(element("div", {}, element("img", { src: source, alt: name }), name));
  into.append(row);
  const ink = (k) => (k === 0 ? "var(--b)" : k === 1 ? "var(--a)" : "var(--g)");
  const legend = element("div", { class: "legend" });
  for (const [k, text] of [[0, `target: ${classes[0]}`], [1, `true: ${classes[1]}`], [2, left ? `other classes (${left} more are not drawn)` : "other classes"]]) {
    const swatch = element("i");
    swatch.style.background = ink(k);
    legend.append(element("span", {}, swatch, text));
  }
  const grid = element("div", { class: "charts" });
  for (const one of stages) {
    const levels = [one.threshold, ...one.clean.membrane.flat(), ...one.triggered.membrane.flat()];
    const range = [Math.min(...levels), Math.max(...levels)];
    for (const kind of ["clean", "triggered"]) {
      const made = element("figure", { class: "traces" }, element("h3", {}, `${one.stage}, ${kind}: taken for ${one[kind].predicted}`));
      made.append(course(one[kind], classes, one.threshold, range, ink, `${one.stage}, ${kind}`));
      grid.append(made);
    }
  }
  into.append(legend, grid);
}

function course({ membrane, spikes }, classes, threshold, [low, high], ink, name) {
  const [width, left, right, middle, each] = [460, 44, 8, 170, 12];
  const height = middle + 22 + each * classes.length + 30;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-label": `${name}: membrane and spikes` });
  const wide = (width - left - right) / membrane.length;
  const across = (step) => left + (step + 0.5) * wide;
  const up = (value) => middle - ((value - low) / (high - low || 1)) * (middle - 12);
  const base = (k) => middle + 26 + each * k;
  for (const level of [low, high]) svg.append(shape("text", { x: left - 5, y: up(level) + 4, "text-anchor": "end" }, String(Number(level.toPrecision(2)))));
  svg.append(shape("line", { x1: left, x2: width - right, y1: up(threshold), y2: up(threshold), stroke: "var(--soft)", "stroke-dasharray": "4 3" }));
  svg.append(shape("text", { x: width - right, y: up(threshold) - 4, "text-anchor": "end" }, "threshold"));
  for (let k = classes.length - 1; k >= 0; k--) {
    const [bold, colour] = [k < 2, ink(k)];
    const line = membrane.map((step, t) => `${across(t).toFixed(1)},${up(step[k]).toFixed(1)}`).join(" ");
    svg.append(shape("polyline", { points: line, fill: "none", stroke: colour, "stroke-width": bold ? 2 : 1, opacity: bold ? 1 : 0.5 }));
    svg.append(shape("text", { x: left - 5, y: base(k) + 4, "text-anchor": "end", style: `fill: ${bold ? colour : "var(--soft)"}` }, classes[k].slice(0, 6)));
    let path = "";
    spikes.forEach((step, t) => {
      const x = across(t).toFixed(1);
      if (step[k] > 0) path += `M${x} ${base(k) - 4}v8`;
      if (step[k] < 0) path += `M${x - 3} ${base(k) - 3}l6 6m0 -6l-6 6`;
    });
    svg.append(shape("path", { d: path, fill: "none", stroke: colour, "stroke-width": Math.min(3, Math.max(1, wide / 3)) }));
  }
  const steps = shape("g", {});
  const marks = membrane.map((step, t) => {
    const mark = shape("rect", { x: left + t * wide, y: 4, width: wide, height: height - 30, class: "step" });
    const told = (k) => `${classes[k]}: membrane ${step[k]}${spikes[t][k] > 0 ? ", fires" : spikes[t][k] < 0 ? ", takes back" : ""}`;
    explain(mark, `step ${t + 1}\ntarget ${told(0)}\ntrue ${told(1)}`);
    steps.append(mark);
    return mark;
  });
  const every = Math.ceil(membrane.length / 8);
  membrane.forEach((_, t) => {
    if ((t + 1) % every === 0) svg.append(shape("text", { x: across(t), y: height - 14, "text-anchor": "middle" }, String(t + 1)));
  });
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 1, "text-anchor": "middle" }, "time step"), steps);
  browse(svg, [marks]);
  return svg;
}

