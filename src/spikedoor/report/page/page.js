/* The page, section by section. */
document.title = told.title;
document.getElementById("title").textContent = told.title;
document.getElementById("question").textContent = told.question;
document.getElementById("verdict").textContent = told.verdict;
const main = document.getElementById("sections");
for (const section of told.sections) {
  const made = element("section", {}, element("h2", {}, section.title));
  if (section.note) made.append(element("p", { class: "note" }, section.note));
  if (section.left) made.append(element("p", { class: "left" }, section.left));
  if (section.table) table(made, section.table);
  if (section.charts) {
    const grid = element("div", { class: section.charts.every((one) => one.small) ? "charts small" : "charts" });
    section.charts.forEach((one) => chart(grid, one));
    made.append(grid);
  }
  const films = new Map((section.players || []).map((one) => [one.title, one]));
  for (const one of section.galleries || []) {
    gallery(made, one);
    if (films.has(one.title)) player(made, films.get(one.title));
  }
  for (const one of section.traces || []) traces(made, one);
  for (const one of section.texts || []) made.append(element("details", one.open ? { open: "" } : {}, element("summary", {}, one.title), element("pre", {}, one.text)));
  main.append(made);
}
const theme = document.getElementById("theme");
theme.addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
});
