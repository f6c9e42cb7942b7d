/* A table that sorts by a click on a head and is filtered by words. */
function table(into, { columns, rows }) {
  const filter = element("input", { type: "search", placeholder: "Filter rows, such as LR_C patch", "aria-label": "Filter rows" });
  const head = element("tr");
  const body = element("tbody");
  let order = null;
  const worth = (value) => (value !== null && typeof value === "object" ? value.value : value);
  const numeric = columns.map((_, i) => rows.some((row) => typeof worth(row[i]) === "number"));
  const cell = (value, i) => {
    if (value === null) return element("td", numeric[i] ? { class: "number" } : {}, "–");
    if (typeof value === "object") {
      const made = element("td", { class: "number" }, value.text);
      if (value.small) made.append(element("small", {}, value.small));
      return made;
    }
    return element("td", typeof value === "number" ? { class: "number" } : {}, String(value));
  };
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
    const button = element("button", { type: "button" }, name);
    const title = element("th", numeric[i] ? { class: "number", scope: "col" } : { scope: "col" }, button);
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

