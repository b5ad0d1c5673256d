"use strict";
// Pictures of outputs against inputs. Which kind, the story says; the reader may choose another.

const KINDS = ["line", "scatter", "bars", "heat map", "parallel", "histogram"];
const MOST_CURVES = 2500;

/** The rows and columns that are plotted. */
function plotted() {
  const table = story.tables.find((one) => one.title === story.plots.table);
  const columns = Object.fromEntries(table.columns.map((column) => [column.name, column]).filter(([, column]) => column.role !== "log").map(([name, column]) => [name, unpacked(column)]));
  const { template } = story.plots;
  const rows = Array.from({ length: table.rows }, (_, row) => row).filter((row) => !template || columns.template.values[row] === template);
  return { columns, rows };
}

function pictures() {
  if (!story.plots.plots.length) return null;
  const data = plotted();
  return make("div", { class: `cards ${story.plots.plots.length === 1 ? "one" : ""}` }, story.plots.plots.map((plot) => card(plot, data)));
}

function card(plot, { columns, rows }) {
  const state = { ...plot, log: wide(columns[plot.output], rows), logX: false };
  const logOfX = () => wide(columns[state.x], rows, state.log ? 10 : 50); // beside a logarithm a smaller range is worth one
  const axes = story.plots.axes;
  const outputs = Object.values(columns).filter((column) => column.numeric && (column.role === "output" || column.name === "seconds")).map((column) => column.name);
  const title = make("h3"), legend = make("ul", { class: "legend" }), note = make("p", { class: "note" });
  let hits = [];
  const drawing = picture((width) => (state.kind === "heat map" ? Math.min(520, Math.max(240, width * 0.62)) : 300), "", (context, width, tall) => {
    hits = [];
    note.textContent = "";
    legend.replaceChildren();
    const draw = { line: lines, scatter: points, bars, "heat map": heat, parallel, histogram }[state.kind];
    draw({ context, width, tall, state, x: columns[state.x], y: columns[state.output], series: columns[state.series], rows: rows.filter((row) => Number.isFinite(columns[state.output].values[row])), columns, axes, legend, note, hit: (one) => hits.push(one) });
  }, (x, y) => {
    let best = null, near = 15 ** 2;
    for (const one of hits) {
      if (one.w !== undefined) { if (x >= one.x && x < one.x + one.w && y >= one.y && y < one.y + one.h) return one.text(); continue; }
      const far = (one.x - x) ** 2 + (one.y - y) ** 2;
      if (far < near) { near = far; best = one; }
    }
    return best ? best.text() : "";
  });

  const controls = make("div", { class: "bar" });
  function settle(change) {
    Object.assign(state, change);
    if (change.output) state.log = wide(columns[state.output], rows);
    if (change.output || change.x || !Object.keys(change).length) state.logX = logOfX();
    if (!columns[state.x]) state.x = axes[0] || "";
    if (state.kind === "heat map" && !state.series) state.series = axes.find((one) => one !== state.x) || "";
    if (state.series === state.x) state.series = axes.find((one) => one !== state.x && state.kind === "heat map") || "";
    const usesX = !["histogram", "parallel"].includes(state.kind);
    const kinds = KINDS.filter((kind) => (axes.length ? kind !== "heat map" || axes.length > 1 : kind === "histogram") && (kind !== "parallel" || axes.length > 1));
    controls.replaceChildren(...[
      outputs.length > 1 ? choice("of", outputs, state.output, (value) => settle({ output: value })) : null,
      kinds.length > 1 ? choice("as", kinds, state.kind, (value) => settle({ kind: value })) : null,
      usesX && axes.length > 1 ? choice("over", axes, state.x, (value) => settle({ x: value })) : null,
      usesX && axes.length > 1 && state.kind !== "bars" ? choice(state.kind === "heat map" ? "and" : "by", [...(state.kind === "heat map" ? [] : [{ value: "", title: "nothing" }]), ...axes.filter((one) => one !== state.x)], state.series, (value) => settle({ series: value })) : null,
      ["line", "scatter"].includes(state.kind) && positive(columns[state.x], rows) ? tick("log x", state.logX, (on) => settle({ logX: on })) : null,
      ["line", "scatter"].includes(state.kind) && positive(columns[state.output], rows) ? tick("log y", state.log, (on) => settle({ log: on })) : null,
    ].filter(Boolean));
    const by = usesX && state.series ? ` and ${state.series}` : "";
    title.textContent = state.kind === "histogram" ? `How often ${state.output}` : state.kind === "parallel" ? `${state.output} over all inputs` : `${state.output} over ${state.x}${by}`;
    const values = rows.map((row) => columns[state.output].values[row]).filter(Number.isFinite);
    const low = values.reduce((one, other) => Math.min(one, other), Infinity), high = values.reduce((one, other) => Math.max(one, other), -Infinity);
    drawing.element.setAttribute("aria-label", `${title.textContent}, a ${state.kind} of ${values.length} values from ${short(low)} to ${short(high)}. The values are in the table of results.`);
    drawing.paint();
  }
  const made = make("article", { class: "card" }, title, controls, drawing.element, legend, note);
  settle({});
  return made;
}

const tick = (name, on, changed) => make("label", {}, make("input", { type: "checkbox", checked: on, change: (event) => changed(event.target.checked) }), name);

const positive = (column, rows) => Boolean(column?.numeric) && rows.every((row) => !(column.values[row] <= 0));

/** Whether a column's numbers are of such different sizes that their logarithms show more. */
function wide(column, rows, times = 50) {
  if (!positive(column, rows)) return false;
  const values = rows.map((row) => column.values[row]).filter(Number.isFinite);
  const low = values.reduce((one, other) => Math.min(one, other), Infinity), high = values.reduce((one, other) => Math.max(one, other), 0);
  return values.length > 2 && high / low >= times;
}

// --- scales ---------------------------------------------------------------------------------------------------------------------

/** From values of a column to 0…1, with marks. Texts stand side by side in the order of their appearance. */
function scale(column, rows, log) {
  if (!column.numeric) {
    const names = [...new Set(rows.map((row) => String(column.values[row] ?? "")))], places = new Map(names.map((name, n) => [name, (n + 0.5) / names.length]));
    return { of: (value) => places.get(String(value ?? "")), marks: names.map((name) => [places.get(name), name]), names };
  }
  let low = Infinity, high = -Infinity;
  for (const row of rows) { const value = column.values[row]; if (Number.isFinite(value)) { low = Math.min(low, value); high = Math.max(high, value); } }
  if (low === Infinity) { low = 0; high = 1; }
  if (low === high) { const pad = Math.abs(low) * 0.1 || 1; low -= pad; high += pad; }
  if (log) {
    const [one, other] = [Math.log10(low), Math.log10(high)];
    const between = (steps) => {
      const found = [];
      for (let power = Math.floor(one); power <= Math.ceil(other); power += 1) for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(6)));
      return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
    };
    const values = [[1], [1, 3], [1, 2, 5], [1, 2, 3, 5, 7]].map(between).find((marks) => marks.length > 3) || [low, high];
    return { of: (value) => (Math.log10(value) - one) / (other - one || 1), marks: values.map((value) => [(Math.log10(value) - one) / (other - one || 1), short(value)]), low, high };
  }
  return { of: (value) => (value - low) / (high - low), low, high, marks: (count) => ticks(low, high, count).map((value) => [(value - low) / (high - low), short(value)]) };
}

const marksOf = (axis, count) => (typeof axis.marks === "function" ? axis.marks(count) : axis.marks);

/** Draws the two axes; gives the frame and the way from 0…1 to pixels. Numbers get a little room beside the outermost ones. */
function frame({ context, width, tall }, across, up, names, right = 12) {
  const marks = marksOf(up, tall / 55), left = Math.min(width * 0.3, 16 + Math.max(...marks.map(([, text]) => context.measureText(text).width), 20));
  const box = { left, right: width - right, top: 22, bottom: tall - 38 }, pad = across.names ? 0 : 10, padUp = up.names ? 0 : 8;
  const px = (share) => box.left + pad + share * (box.right - box.left - 2 * pad), py = (share) => box.bottom - padUp - share * (box.bottom - box.top - 2 * padUp);
  context.lineWidth = 1; context.strokeStyle = colour("grid"); context.fillStyle = colour("faint"); context.textBaseline = "middle"; context.textAlign = "right";
  const step = Math.ceil((marks.length * 14) / (box.bottom - box.top));
  marks.forEach(([share, text], n) => {
    if (n % step) return;
    const y = Math.round(py(share)) + 0.5;
    context.beginPath(); context.moveTo(box.left, y); context.lineTo(box.right, y); context.stroke();
    context.fillText(fitted(context, text, left - 10), box.left - 7, y);
  });
  context.textAlign = "center"; context.textBaseline = "top";
  const room = box.right - box.left, below = marksOf(across, room / 80), widest = Math.max(...below.map(([, text]) => context.measureText(text).width), 1);
  const each = Math.max(1, Math.ceil((Math.min(widest + 10, 90) * below.length) / room));
  below.forEach(([share, text], n) => { if (n % each === 0) context.fillText(fitted(context, text, Math.max(24, (room / below.length) * each - 6)), px(share), box.bottom + 7); });
  context.textAlign = "right"; context.textBaseline = "alphabetic";
  context.fillText(fitted(context, names[0], room), box.right, tall - 5);
  context.textAlign = "left";
  context.fillText(fitted(context, names[1], width * 0.7), 2, 12);
  return { box, px, py };
}

/** The rows of each value of the series, in order. */
function grouped(series, rows) {
  const groups = new Map();
  for (const row of rows) {
    const name = series ? series.values[row] : "";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return [...groups].sort(([a], [b]) => (series?.numeric ? a - b : 0));
}

/** Mean, least and most of y at each x. */
function gathered(x, y, rows) {
  const found = new Map();
  for (const row of rows) {
    const key = x.values[row], value = y.values[row], one = found.get(key);
    if (one) { one.sum += value; one.count += 1; one.low = Math.min(one.low, value); one.high = Math.max(one.high, value); } else found.set(key, { key, sum: value, count: 1, low: value, high: value });
  }
  const list = [...found.values()];
  list.forEach((one) => { one.mean = one.sum / one.count; });
  return x.numeric ? list.filter((one) => Number.isFinite(one.key)).sort((a, b) => a.key - b.key) : list;
}

const seriesColour = (n, count) => (count <= 10 ? colour(`c${n % 10}`) : ramp(0.1 + (0.8 * n) / (count - 1)));

function colourBar({ context, width, tall }, low, high) {
  const x = width - 14, top = 30, bottom = tall - 46;
  for (let y = top; y < bottom; y += 1) { context.fillStyle = ramp((bottom - y) / (bottom - top)); context.fillRect(x, y, 10, 1.5); }
  context.fillStyle = colour("faint"); context.textAlign = "right"; context.textBaseline = "middle";
  context.fillText(brief(high), width - 18, top + 5); context.fillText(brief(low), width - 18, bottom - 5);
}

/** A number of three digits, for narrow places. */
const brief = (value) => (Number.isInteger(value) && Math.abs(value) < 1e5 ? short(value) : short(Number(value.toPrecision(3))));

// --- kinds ----------------------------------------------------------------------------------------------------------------------

function lines(given) {
  const { context, width, state, x, y, series, rows, hit, note } = given, groups = grouped(series, rows);
  const named = series && groups.length <= 12, across = scale(x, rows, state.logX), up = scale(y, rows, state.log);
  const right = named ? Math.min(width * 0.3, 14 + Math.max(...groups.map(([name]) => context.measureText(String(name)).width))) : 12;
  const { px, py, box } = frame(given, across, up, [state.x, state.output], right);
  const ends = [];
  let several = false;
  groups.forEach(([name, own], n) => {
    const path = gathered(x, y, own), shade = seriesColour(n, groups.length);
    context.strokeStyle = shade; context.fillStyle = shade;
    if (path.some((one) => one.count > 1)) {
      several = true;
      context.globalAlpha = 0.16; context.beginPath();
      path.forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(one.high))));
      [...path].reverse().forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(one.low))));
      context.fill(); context.globalAlpha = 1;
    }
    context.lineWidth = groups.length > 12 ? 1.1 : 1.8; context.beginPath();
    path.forEach((one) => context.lineTo(px(across.of(one.key)), py(up.of(one.mean))));
    context.stroke();
    for (const one of path) {
      const place = { x: px(across.of(one.key)), y: py(up.of(one.mean)) };
      if (path.length * groups.length < 400) { context.beginPath(); context.arc(place.x, place.y, 2.6, 0, 7); context.fill(); }
      hit({ ...place, text: () => `${state.x} ${short(one.key)}${series ? `\n${state.series} ${name}` : ""}\n${state.output} ${short(one.mean)}${one.count > 1 ? ` (mean of ${one.count}, ${short(one.low)} to ${short(one.high)})` : ""}` });
    }
    if (named && path.length) ends.push({ name: String(name), shade, y: py(up.of(path[path.length - 1].mean)) });
  });
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((one, n) => { if (n) one.y = Math.max(one.y, ends[n - 1].y + 13); });
  const over = ends.length ? ends[ends.length - 1].y - (box.bottom - 4) : 0;
  if (over > 0) { ends[ends.length - 1].y -= over; for (let n = ends.length - 2; n >= 0; n -= 1) ends[n].y = Math.min(ends[n].y, ends[n + 1].y - 13); }
  context.textAlign = "left"; context.textBaseline = "middle";
  for (const one of ends) { context.fillStyle = one.shade; context.fillText(fitted(context, one.name, right - 8), box.right + 6, one.y); }
  if (several) note.textContent = "Lines are means; bands reach from the least to the most.";
  else if (series && !named) note.textContent = `${groups.length} lines, one value of ${state.series} each: hold the pointer over one.`;
}

function points(given) {
  const { context, state, x, y, series, rows, hit, legend } = given, across = scale(x, rows, state.logX), up = scale(y, rows, state.log);
  const shades = series?.numeric ? scale(series, rows) : null, names = series && !series.numeric ? grouped(series, rows).map(([name]) => name) : [];
  const { px, py } = frame(given, across, up, [state.x, state.output], shades ? 70 : 12);
  const radius = rows.length > 3000 ? 1.6 : rows.length > 500 ? 2.2 : 3.4;
  context.globalAlpha = rows.length > 3000 ? 0.55 : 0.8;
  const numbers = new Map(names.map((name, n) => [name, n]));
  for (const row of rows) {
    const place = { x: px(across.of(x.values[row])), y: py(up.of(y.values[row])) };
    context.fillStyle = shades ? ramp(shades.of(series.values[row])) : seriesColour(series ? numbers.get(series.values[row]) : 0, Math.max(1, names.length));
    context.beginPath(); context.arc(place.x, place.y, radius, 0, 7); context.fill();
    hit({ ...place, text: () => `${state.x} ${short(x.values[row])}${series ? `\n${state.series} ${short(series.values[row])}` : ""}\n${state.output} ${short(y.values[row])}` });
  }
  context.globalAlpha = 1;
  if (shades) { colourBar(given, shades.low, shades.high); context.textAlign = "right"; context.fillText(fitted(context, state.series, 150), given.width - 2, 16); }
  names.slice(0, 12).forEach((name, n) => { const swatch = make("span", { class: "swatch" }); swatch.style.background = seriesColour(n, names.length); legend.append(make("li", {}, swatch, String(name))); });
}

function bars(given) {
  const { context, state, x, y, rows, hit, note } = given, all = gathered(x, y, rows), least = Math.min(0, ...all.map((one) => one.low)), most = Math.max(0, ...all.map((one) => one.high));
  const names = all.map((one) => short(one.key)), across = { names, of: (n) => (n + 0.5) / names.length, marks: names.map((name, n) => [(n + 0.5) / names.length, name]) };
  const up = { of: (value) => (value - least) / (most - least || 1), marks: (count) => ticks(least, most, count).map((value) => [(value - least) / (most - least || 1), short(value)]) };
  const { px, py, box } = frame(given, across, up, [state.x, state.output]), wide = ((box.right - box.left) / all.length) * 0.72;
  all.forEach((one, n) => {
    const left = px(across.of(n)) - wide / 2, zero = py(up.of(0)), end = py(up.of(one.mean));
    context.fillStyle = colour("c0"); context.globalAlpha = 0.85; context.fillRect(left, Math.min(zero, end), wide, Math.max(1, Math.abs(end - zero))); context.globalAlpha = 1;
    if (one.count > 1) { context.strokeStyle = colour("ink"); context.beginPath(); context.moveTo(left + wide / 2, py(up.of(one.low))); context.lineTo(left + wide / 2, py(up.of(one.high))); context.stroke(); note.textContent = "Bars are means; strokes reach from the least to the most."; }
    hit({ x: left, w: wide, y: box.top, h: box.bottom - box.top, text: () => `${state.x} ${short(one.key)}\n${state.output} ${short(one.mean)}${one.count > 1 ? ` (mean of ${one.count}, ${short(one.low)} to ${short(one.high)})` : ""}` });
  });
}

function heat(given) {
  const { context, state, x, y, series, rows, hit, note } = given;
  if (!series) return;
  const ordered = (column) => { const found = [...new Set(rows.map((row) => column.values[row]))]; return column.numeric ? found.sort((a, b) => a - b) : found; };
  const columns = ordered(x), lines = ordered(series), cells = new Map();
  const axis = (values) => ({ names: values, of: (n) => (n + 0.5) / values.length, marks: values.map((value, n) => [(n + 0.5) / values.length, short(value)]) });
  for (const row of rows) { const key = `${x.values[row]}\u0001${series.values[row]}`, one = cells.get(key) || { sum: 0, count: 0 }; one.sum += y.values[row]; one.count += 1; cells.set(key, one); }
  let low = Infinity, high = -Infinity;
  for (const one of cells.values()) { one.mean = one.sum / one.count; low = Math.min(low, one.mean); high = Math.max(high, one.mean); if (one.count > 1) note.textContent = "Cells are means of several values."; }
  const { box } = frame(given, axis(columns), axis(lines), [state.x, state.series], 70), wide = (box.right - box.left) / columns.length, tall = (box.bottom - box.top) / lines.length;
  columns.forEach((column, i) => lines.forEach((line, j) => {
    const one = cells.get(`${column}\u0001${line}`);
    if (!one) return;
    // whole pixels: no seams between cells
    const left = Math.round(box.left + i * wide), top = Math.round(box.bottom - (j + 1) * tall);
    const right = Math.round(box.left + (i + 1) * wide), bottom = Math.round(box.bottom - j * tall);
    context.fillStyle = ramp((one.mean - low) / (high - low || 1));
    context.fillRect(left, top, Math.max(1, right - left - (wide > 12 ? 1 : 0)), Math.max(1, bottom - top - (tall > 12 ? 1 : 0)));
    hit({ x: left, y: top, w: wide, h: tall, text: () => `${state.x} ${short(column)}\n${state.series} ${short(line)}\n${state.output} ${short(one.mean)}${one.count > 1 ? ` (mean of ${one.count})` : ""}` });
  }));
  colourBar(given, low, high);
  context.textAlign = "right"; context.textBaseline = "alphabetic"; context.fillText(fitted(context, state.output, 160), given.width - 2, 14);
}

function parallel(given) {
  const { context, width, tall, state, y, rows, columns, axes, note } = given;
  const shown = [...axes.slice(0, 9), state.output].map((name) => columns[name]), scales = shown.map((column) => scale(column, rows, wide(column, rows))), shade = scale(y, rows, wide(y, rows));
  const room = (axis) => Math.max(20, ...marksOf(axis, 4).map(([, text]) => context.measureText(text).width));
  const left = 12 + Math.min(110, room(scales[0])), right = width - 12 - Math.min(90, room(scales[scales.length - 1])), top = 34, bottom = tall - 14, at = (n) => left + (n / (shown.length - 1)) * (right - left), up = (share) => bottom - share * (bottom - top);
  const each = Math.max(1, Math.ceil(rows.length / MOST_CURVES));
  context.lineWidth = 1; context.globalAlpha = Math.max(0.08, Math.min(0.8, 250 / rows.length));
  for (let n = 0; n < rows.length; n += each) {
    const row = rows[n];
    context.strokeStyle = ramp(shade.of(y.values[row])); context.beginPath();
    shown.forEach((column, k) => { const share = scales[k].of(column.values[row]); if (Number.isFinite(share)) context.lineTo(at(k), up(share)); });
    context.stroke();
  }
  context.globalAlpha = 1; context.lineWidth = 1;
  shown.forEach((column, k) => {
    context.strokeStyle = colour("faint"); context.beginPath(); context.moveTo(at(k), top); context.lineTo(at(k), bottom); context.stroke();
    context.fillStyle = colour("ink"); context.textAlign = k ? (k === shown.length - 1 ? "right" : "center") : "left"; context.textBaseline = "alphabetic";
    context.fillText(fitted(context, column.name, ((right - left) / (shown.length - 1)) * 0.95), k ? (k === shown.length - 1 ? width - 4 : at(k)) : 4, 14);
    context.fillStyle = colour("faint"); context.textBaseline = "middle"; context.textAlign = k === shown.length - 1 ? "left" : "right";
    const marks = marksOf(scales[k], 4), step = Math.ceil(marks.length / 9);
    marks.forEach(([share, text], n) => { if (n % step === 0) { context.fillStyle = colour("ground"); const words = fitted(context, text, 108), long = context.measureText(words).width, x = k === shown.length - 1 ? at(k) + 5 : at(k) - 5; context.globalAlpha = 0.75; context.fillRect(k === shown.length - 1 ? x - 1 : x - long - 1, up(share) - 7, long + 2, 14); context.globalAlpha = 1; context.fillStyle = colour("ink"); context.fillText(words, x, up(share)); } });
  });
  note.textContent = each > 1 ? `One line in ${each} of ${short(rows.length)} is drawn; its colour is ${state.output}.` : `One line per row; its colour is ${state.output}.`;
}

function histogram(given) {
  const { context, state, y, rows, hit } = given, values = rows.map((row) => y.values[row]), low = Math.min(...values), high = Math.max(...values);
  const count = high > low ? Math.max(5, Math.min(50, Math.round(Math.sqrt(values.length)))) : 1, step = (high - low) / count || 1, bins = new Array(count).fill(0);
  for (const value of values) bins[Math.min(count - 1, Math.floor((value - low) / step))] += 1;
  const most = Math.max(...bins), across = { of: (value) => (value - low) / (step * count), marks: (n) => ticks(low, low + step * count, n).map((value) => [(value - low) / (step * count), short(value)]) };
  const up = { of: (n) => n / most, marks: (n) => ticks(0, most, Math.min(n, most)).map((value) => [value / most, short(value)]) };
  const { px, py } = frame(given, across, up, [state.output, "how many"]);
  bins.forEach((number, n) => {
    const left = px(across.of(low + n * step)), wide = px(across.of(low + (n + 1) * step)) - left;
    context.fillStyle = colour("c0"); context.fillRect(left, py(up.of(number)), wide - 1, py(0) - py(up.of(number)));
    hit({ x: left, w: wide, y: 0, h: given.tall, text: () => `${short(low + n * step)} to ${short(low + (n + 1) * step)}\n${number}` });
  });
}
