"use strict";
// The pictures of a table, each in a card with its choices. Which ones to begin with is said by the table; the reader may choose others.

const KINDS = ["line", "scatter", "bars", "heat map", "parallel", "importance", "coverage", "histogram"];
const DRAWN = { line: lines, scatter: points, bars, "heat map": heat, parallel, importance: importanceBars, coverage, histogram };
const OVER_X = ["line", "scatter", "bars", "heat map"];
const FEWEST_FOR_SURVEY = 8;

/** What a sweep of several inputs is worth beside the chosen pictures: which input matters, and what was covered. */
function withSurvey(plots, axes, count) {
  if (axes.length < 2 || count < FEWEST_FOR_SURVEY || !plots.length) return plots;
  const { output } = plots[0], rest = { output, x: axes[0], series: "" };
  return [...plots, { ...rest, kind: "importance" }, { ...rest, kind: "coverage" }];
}

/** data: {columns, rows, axes}, columns by their names; plots: [{kind, output, x, series}]. */
function cards(plots, data) {
  const made = plots.map((plot) => card(plot, data));
  return { element: make("div", { class: `cards ${plots.length === 1 ? "one" : ""}` }, made.map((one) => one.element)), update: (next) => made.forEach((one) => one.update(next)) };
}

function height(state, axes) {
  if (state.kind === "importance") return (width) => Math.max(170, 60 + Math.min(MOST_AXES, axes.length) * 40);
  if (state.kind === "coverage") return (width) => Math.max(260, Math.min(560, width * 0.8));
  return (width) => (state.kind === "heat map" ? Math.min(520, Math.max(240, width * 0.62)) : 300);
}

function card(plot, given) {
  let { columns, rows, axes } = given;
  const state = { ...plot, log: wide(columns[plot.output], rows), logX: false };
  const logOfX = () => wide(columns[state.x], rows, state.log ? 10 : 50); // beside a logarithm a smaller range is worth one
  const outputs = () => Object.values(columns).filter((column) => column.numeric && (column.role === "output" || column.name === "seconds")).map((column) => column.name);
  const title = make("h3"), legend = make("ul", { class: "legend" }), note = make("p", { class: "note" });
  let hits = [], keys = [], behind = null;
  const key = (name, shade) => {
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = shade;
    legend.append(make("li", {}, swatch, name));
    keys.push({ name, shade });
  };
  const drawing = picture((width) => height(state, axes)(width), "", (context, width, tall) => {
    hits = [];
    keys = [];
    behind = null;
    note.textContent = "";
    legend.replaceChildren();
    DRAWN[state.kind]({
      context, width, tall, state, columns, axes, key, note, every: rows, rows: rows.filter((row) => Number.isFinite(columns[state.output].values[row])),
      x: columns[state.x], y: columns[state.output], series: columns[state.series], hit: (one) => hits.push(one), behind: (table) => { behind = table; },
    });
  }, (x, y) => {
    let best = null, near = 15 ** 2;
    for (const one of hits) {
      if (one.w !== undefined) { if (x >= one.x && x < one.x + one.w && y >= one.y && y < one.y + one.h) return one.text(); continue; }
      const far = (one.x - x) ** 2 + (one.y - y) ** 2;
      if (far < near) { near = far; best = one; }
    }
    return best ? best.text() : "";
  });

  const meansOver = () => (["line", "bars"].includes(state.kind) ? axes.filter((name) => name !== state.x && (state.kind === "bars" || name !== state.series)) : []);
  const usesX = () => OVER_X.includes(state.kind);
  const controls = make("div", { class: "bar" });
  function settle(change) {
    Object.assign(state, change);
    if (change.output) state.log = wide(columns[state.output], rows);
    if (change.output || change.x || !Object.keys(change).length) state.logX = logOfX();
    if (!columns[state.x]) state.x = axes[0] || "";
    if (state.kind === "heat map" && !state.series) state.series = axes.find((one) => one !== state.x) || "";
    if (state.series === state.x) state.series = axes.find((one) => one !== state.x && state.kind === "heat map") || "";
    if (!["band", "output", "log", "logX"].some((name) => name in change)) state.band = meansOver().every(isSeed) ? "error" : "range"; // the mean of unequal points has no such error
    const least = { "heat map": 2, parallel: 2, coverage: 2, importance: 1 }, kinds = KINDS.filter((kind) => (axes.length ? axes.length >= (least[kind] || 1) : kind === "histogram"));
    const named = outputs();
    controls.replaceChildren(...[
      named.length > 1 && state.kind !== "coverage" ? choice("of", named, state.output, (value) => settle({ output: value })) : null,
      kinds.length > 1 ? choice("as", kinds, state.kind, (value) => settle({ kind: value })) : null,
      usesX() && axes.length > 1 ? choice("over", axes, state.x, (value) => settle({ x: value })) : null,
      usesX() && axes.length > 1 && state.kind !== "bars" ? choice(state.kind === "heat map" ? "and" : "by", [...(state.kind === "heat map" ? [] : [{ value: "", title: "nothing" }]), ...axes.filter((one) => one !== state.x)], state.series, (value) => settle({ series: value })) : null,
      meansOver().length ? choice("bands", [{ value: "error", title: "standard error" }, { value: "range", title: "least to most" }], state.band, (value) => settle({ band: value })) : null,
      ["line", "scatter"].includes(state.kind) && positive(columns[state.x], rows) ? tick("log x", state.logX, (on) => settle({ logX: on })) : null,
      ["line", "scatter"].includes(state.kind) && positive(columns[state.output], rows) ? tick("log y", state.log, (on) => settle({ log: on })) : null,
    ].filter(Boolean));
    title.textContent = words();
    retold();
    drawing.paint();
  }
  const words = () => ({
    histogram: `How often ${state.output}`, parallel: `${state.output} over all inputs`, importance: `What ${state.output} depends on`, coverage: "Where the points are",
  })[state.kind] || `${state.output} over ${state.x}${state.series ? ` and ${state.series}` : ""}`;
  function retold() {
    const values = rows.map((row) => columns[state.output].values[row]).filter(Number.isFinite);
    const low = values.reduce((one, other) => Math.min(one, other), Infinity), high = values.reduce((one, other) => Math.max(one, other), -Infinity);
    drawing.element.setAttribute("aria-label", `${title.textContent}, a ${state.kind} of ${values.length} values from ${short(low)} to ${short(high)}. The values are in the table of results.`);
  }
  /** The columns that the picture shows, row by row, unless the picture computed a table of its own. */
  function data() {
    if (behind) return behind;
    const names = [...new Set([...(usesX() ? [state.x, state.series] : state.kind === "parallel" ? axes : []), state.output])].filter((name) => columns[name]);
    return { names, rows: rows.map((row) => names.map((name) => columns[name].values[row])) };
  }
  const element = make("article", { class: "card" }, title, controls, drawing.element, legend, note, savers({ ...drawing, keys: () => keys, title: () => title.textContent, data }));
  settle({});
  /** The same picture of more rows: what the reader chose stays, and where nothing else to choose from came, so do the controls. */
  const update = (next) => {
    const before = [axes, outputs()].join();
    ({ columns, rows, axes } = next);
    if (!columns[state.output]) return;
    if ([axes, outputs()].join() !== before) settle({ output: state.output });
    else { retold(); drawing.paint(); }
  };
  return { element, update };
}

const tick = (name, on, changed) => make("label", {}, make("input", { type: "checkbox", checked: on, change: (event) => changed(event.target.checked) }), name);
