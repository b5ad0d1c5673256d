"use strict";
// The page, part by part.

const MOST_FAILURES_OPEN = 3;

function sum(counts, ...names) {
  return Object.entries(counts).reduce((total, [name, count]) => total + (!names.length || names.includes(name) ? count : 0), 0);
}

function head() {
  const mark = markOf(story.phase), wall = story.begun === null ? null : (story.ended ?? story.begun) - story.begun;
  const failed = sum(story.counts, "Failed", "Error"), points = sum(story.points);
  const tiles = [
    story.best ? [short(story.best.value), `${story.best.name}, at ${story.best.at}`] : null,
    points ? [`${short(sum(story.points, "Succeeded"))} of ${short(points)}`, "points done"] : null,
    [`${short(sum(story.counts, "Succeeded"))} of ${short(sum(story.counts) - sum(story.counts, "Skipped", "Omitted", "Superseded"))}`, "tasks succeeded"],
    failed ? [short(failed), failed === 1 ? "task failed" : "tasks failed"] : null,
    story.counts.Superseded ? [short(story.counts.Superseded), "failed, then computed again or stopped by the search"] : null,
    story.retried ? [short(story.retried), story.retried === 1 ? "task retried" : "tasks retried"] : null,
    story.ended !== null && wall !== null ? [lasting(wall), "from start to end"] : null,
    story.seconds ? [lasting(story.seconds), story.waiting ? "tasks' time, waiting included" : "tasks' time"] : null,
    story.workflows.length > 1 ? [short(story.workflows.length), "workflows"] : null,
  ].filter(Boolean);
  const times = [story.begun !== null ? moment(story.begun) : "not started", story.ended !== null ? `to ${moment(story.ended)}` : story.begun !== null ? "still running when this was written" : ""].filter(Boolean).join(" ");
  document.getElementById("head").append(
    make("h1", {}, story.run, " ", make("span", { class: `phase ${story.phase}` }, `${mark} ${story.phase}`)),
    make("p", { class: "under" }, [story.experiment, times].filter(Boolean).join(" · ")),
    story.message && story.phase !== "Succeeded" ? make("p", { class: "wrong" }, story.message) : "",
    make("ul", { class: "tiles" }, tiles.map(([figure, name]) => make("li", { class: "tile" }, make("b", {}, figure), make("span", {}, name)))),
    ...story.left_out.map((text) => make("p", { class: "note" }, text)));
}

function failures() {
  if (!story.failures.length) return null;
  const cards = story.failures.map((one) => make("div", { class: "failure" },
    make("h3", {}, make("span", { class: one.status }, "✘ "), one.task, one.attempts > 1 ? ` (${one.attempts} attempts)` : ""),
    make("p", { class: "wrong" }, one.message || one.status),
    one.inputs.length ? make("p", { class: "under" }, one.inputs.map(([name, value]) => `${name} = ${value}`).join(", ")) : null,
    one.log.length ? make("pre", {}, one.log.join("\n")) : null,
    one.others ? make("p", { class: "under" }, `and ${one.others}`) : null));
  const rest = cards.slice(MOST_FAILURES_OPEN);
  const more = rest.length ? make("details", {}, make("summary", {}, `${rest.length} more`), rest) : null;
  return make("div", {}, cards.slice(0, MOST_FAILURES_OPEN), more);
}

function resultTables() {
  const parts = story.tables.filter((table) => table.rows).map((table) => [table.title, dataTable(table)]);
  if (!parts.length) return make("p", { class: "note" }, "No task has started.");
  if (parts.length === 1) return parts[0][1];
  const show = (title) => { parts.forEach(([name, part]) => { part.hidden = name !== title; }); buttons.forEach((one) => one.setAttribute("aria-pressed", one.dataset.title === title)); };
  const buttons = parts.map(([title]) => make("button", { type: "button", "data-title": title, click: () => show(title) }, `${title[0].toUpperCase()}${title.slice(1)}`));
  const whole = make("div", {}, make("div", { class: "bar", role: "group", "aria-label": "Which table" }, buttons), parts.map(([, part]) => part));
  show(parts[0][0]);
  return whole;
}

function workflows() {
  if (story.workflows.length < 2) return null;
  return make("div", { class: "wide" }, make("table", { class: "plain" }, make("thead", {}, make("tr", {}, ["workflow", "role", "status", "tasks", "took"].map((one) => make("th", { scope: "col" }, one)))),
    make("tbody", {}, story.workflows.map((one) => make("tr", {}, make("td", {}, one.name), make("td", {}, one.role), make("td", { class: one.phase }, `${markOf(one.phase)} ${one.phase}`), make("td", {}, one.progress), make("td", {}, one.begun !== null && one.ended !== null ? lasting(one.ended - one.begun) : ""))))));
}

const pairs = (list) => (list.length ? make("dl", {}, list.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])) : null);

/** The rows and columns that are plotted. */
function plotted() {
  const table = story.tables.find((one) => one.title === story.plots.table);
  const columns = Object.fromEntries(table.columns.map((column) => [column.name, column]).filter(([, column]) => column.role !== "log").map(([name, column]) => [name, unpacked(column)]));
  const { template } = story.plots;
  const rows = Array.from({ length: table.rows }, (_, row) => row).filter((row) => !template || columns.template.values[row] === template);
  return { columns, rows, axes: story.plots.axes };
}

function pictures() {
  if (!story.plots.plots.length) return null;
  const data = plotted();
  return cards(withSurvey(story.plots.plots, data.axes, data.rows.length), data).element;
}

/** The figures that tasks made; one fills the width that it has. */
function figures() {
  if (!story.figures?.length) return null;
  const shown = story.figures.map((one) => make("figure", {}, make("img", { src: one.address, alt: `${one.name} of ${one.task}`, loading: "lazy" }), make("figcaption", {}, `${one.task}: ${one.name}`)));
  const more = story.more_figures ? make("p", { class: "note" }, `${story.more_figures} more pictures are among the artifacts: hera-utils cp artifact:${story.run} FOLDER`) : null;
  return make("div", {}, make("div", { class: "figures" }, shown), more);
}

function graph() {
  const { boxes, edges } = story.graph;
  if (boxes.length < 2) return null;
  const drawn = graphPicture(`Graph of ${story.run}`);
  drawn.update(boxes, edges);
  return drawn.element;
}

function page() {
  head();
  const parts = [
    ["failures", "Failures", failures()],
    ["figures", "Figures", figures()],
    ["plots", "Plots", pictures()],
    ["results", "Results", resultTables()],
    ["timeline", "Timeline", timeline()],
    ["graph", "Graph", graph()],
    ["resources", "Resources", resources()],
    ["workflows", "Workflows", workflows()],
    ["constants", "The same for all", pairs(story.constants)],
    ["provenance", "How it was run", pairs(story.facts)],
  ].filter(([, , part]) => part);
  const main = document.getElementById("main");
  main.append(...parts.map(([name, title, part]) => make("section", { id: name, "aria-labelledby": `${name}-title` }, make("h2", { id: `${name}-title` }, title), part)));
  const links = parts.map(([name, title]) => make("a", { href: `#${name}` }, title));
  document.getElementById("sections").append(make("ul", {}, links.map((link) => make("li", {}, link))));
  const seen = new Map();
  const watcher = new IntersectionObserver((entries) => {
    entries.forEach((entry) => seen.set(entry.target.id, entry.isIntersecting));
    const first = parts.find(([name]) => seen.get(name));
    links.forEach((link) => (first && link.hash === `#${first[0]}` ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  }, { rootMargin: "-90px 0px -55% 0px" });
  parts.forEach(([name]) => watcher.observe(document.getElementById(name)));
  document.body.append(make("footer", {}, "Written by hera_utils. One file, it loads nothing from elsewhere."));
}

page();
