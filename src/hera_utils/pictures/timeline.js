"use strict";
// When each task ran: a row a task where there are few, else rows shared by tasks that do not overlap, template by template.

const MOST_NAMED = 60;
const UNSUCCESSFUL = ["Failed", "Error"];

/** Rows of bars by number: of few tasks one each, in which the attempts of a retried one follow each other. */
function rowsOfTasks(bars, { start, row }) {
  const rows = new Map();
  for (const n of [...bars].sort((a, b) => start[a] - start[b] || a - b)) {
    const key = row.length ? row[n] : n;
    if (rows.has(key)) rows.get(key).push(n); else rows.set(key, [n]);
  }
  return [...rows.values()];
}

/** Rows that the bars of one template share as long as they do not overlap. */
function sharedRows(bars, { templates, template, start }, until) {
  const byTemplate = templates.map(() => []);
  for (const n of bars) byTemplate[template[n]].push(n);
  return byTemplate.flatMap((members) => {
    const own = [], ends = [];
    const free = []; // numbers of rows by when they end: a heap would be faster, but ends only grow here
    for (const n of members.sort((a, b) => start[a] - start[b] || until(a) - until(b))) {
      let row = free.length && ends[free[0]] <= start[n] ? free.shift() : -1;
      if (row < 0) { row = own.length; own.push([]); }
      own[row].push(n);
      ends[row] = until(n);
      let low = 0, high = free.length;
      while (low < high) { const middle = (low + high) >> 1; if (ends[free[middle]] <= ends[row]) low = middle + 1; else high = middle; }
      free.splice(low, 0, row);
    }
    return own;
  });
}

/** How many ran at each moment, as steps: [time, number]. */
function stepsOfTime(bars, start, until) {
  const changes = bars.flatMap((n) => [[start[n], 1], [until(n), -1]]).sort((a, b) => a[0] - b[0]);
  const found = [[0, 0]];
  let running = 0;
  for (const [time, change] of changes) {
    running += change;
    if (found[found.length - 1][0] === time) found[found.length - 1][1] = running; else found.push([time, running]);
  }
  return found;
}

/** {element, update(data)}. data, by the number of a task (or of an attempt):
 *   name(n), templates and statuses (words), template[] and status[] (which of them), start[] (seconds since the run began; below zero: not
 *   started), length[] (null: goes on), waited[] (for its place, before the start; may be []), row[] (the task that an attempt belongs to;
 *   may be []: no attempts), rowName(n) (what that task is called), idle(n) (it does nothing, as a suspension: it is not counted as under way;
 *   may be missing), now (how long the run takes so far), chosen (the number of the one that is looked at, or -1), note(few) (a sentence).
 * choose(n): a bar was clicked, or reached with the arrow keys. */
function timelinePicture(title, choose = null) {
  let data = null, bars = [], rows = [], steps = [[0, 0]], few = true, total = 1, most = 1, thick = 16;
  const view = { from: 0, to: 1, whole: true };
  const top = 74, bottom = 26;
  const until = (n) => data.start[n] + (data.length[n] ?? Math.max(0, data.now - data.start[n]));
  const seen = (n) => (until(n) > data.start[n] ? until(n) : data.start[n] + total / 2000); // of no length to its clock, yet it ran
  const phase = (n) => data.statuses[data.status[n]];
  const left = (width) => (few ? Math.min(220, width * 0.32) : Math.min(130, Math.max(92, width * 0.16)));
  const at = (time, width) => left(width) + ((time - view.from) / (view.to - view.from)) * (width - left(width) - 8);

  function axis(context, width, tall) {
    const from = left(width);
    context.textBaseline = "middle"; context.textAlign = "center"; context.strokeStyle = colour("grid"); context.fillStyle = colour("faint");
    let written = 0;
    for (const tick of ticks(view.from, view.to, (width - from) / 90)) {
      const x = Math.round(at(tick, width)) + 0.5;
      context.beginPath(); context.moveTo(x, 8); context.lineTo(x, tall - bottom); context.stroke();
      const words = lasting(tick) || "0", half = context.measureText(words).width / 2;
      const middle = Math.min(x, width - half - 2);
      if (middle - half > written) { context.fillText(words, middle, tall - bottom / 2); written = middle + half + 6; }
    }
  }

  function underWay(context, width) {
    context.beginPath(); context.moveTo(at(0, width), top - 14);
    let before = 0;
    for (const [time, running] of steps) {
      context.lineTo(at(time, width), top - 14 - (before / most) * 48);
      context.lineTo(at(time, width), top - 14 - (running / most) * 48);
      before = running;
    }
    context.lineTo(at(total, width), top - 14); context.closePath();
    context.globalAlpha = 0.35; context.fillStyle = colour("c0"); context.fill(); context.globalAlpha = 1;
  }

  function bar(context, width, row, n, shade) {
    const x = at(data.start[n], width), end = at(until(n), width), y = top + row * thick, gap = thick > 5 ? 2 : 0;
    if (few && data.waited[n]) { // from when it could have run
      const since = at(Math.max(0, data.start[n] - data.waited[n]), width);
      context.globalAlpha = 0.4; context.fillStyle = colour("wait");
      context.fillRect(since, y + thick * 0.35, x - since, thick * 0.2);
    }
    if (end < left(width) || x > width) return;
    const failed = UNSUCCESSFUL.includes(phase(n)), wide = Math.max(few ? 3 : failed ? 3 : 1.2, end - x - (few ? 0 : 0.4));
    context.globalAlpha = few ? 0.85 : failed ? 1 : 0.75; context.fillStyle = shade;
    context.fillRect(x, y, wide, thick - gap);
    context.globalAlpha = 1;
    if (failed && thick > 9 && wide > 12) { context.textAlign = "center"; context.fillStyle = colour("ground"); context.fillText("✘", x + wide / 2, y + (thick - gap) / 2 + 1); }
    if (n === data.chosen) { context.fillStyle = colour("ink"); context.fillRect(x - 1, y - 1, wide + 2, 2); context.fillRect(x - 1, y + thick - gap - 1, wide + 2, 2); }
  }

  function labels(context, width) {
    const from = left(width);
    context.textAlign = "right"; context.fillStyle = colour("faint");
    context.fillText(fitted(context, `up to ${most}`, from - 10), from - 8, 20);
    context.fillStyle = colour("ink");
    if (few) {
      rows.forEach((row, place) => {
        const last = row[row.length - 1], name = data.row.length ? data.rowName(last) : data.name(last);
        context.fillText(fitted(context, `${markOf(phase(last))} ${name}`, from - 14), from - 8, top + place * thick + thick / 2);
      });
      return;
    }
    let place = 0;
    data.templates.forEach((name, kind) => {
      const own = rows.filter((row) => data.template[row[0]] === kind).length;
      if (own * thick > 9) context.fillText(fitted(context, name, from - 14), from - 8, top + (place + own / 2) * thick);
      place += own;
    });
  }

  function draw(context, width, tall) {
    if (!bars.length) return;
    axis(context, width, tall);
    context.save();
    context.beginPath(); context.rect(left(width), 0, width - left(width), tall); context.clip();
    underWay(context, width);
    const shades = Object.fromEntries(data.statuses.map((one) => [one, phaseColour(one)]));
    for (const failed of [false, true]) { // what failed is on top: thousands of others would hide it
      rows.forEach((row, place) => { for (const n of row) if (UNSUCCESSFUL.includes(phase(n)) === failed) bar(context, width, place, n, shades[phase(n)]); });
    }
    context.restore();
    context.globalAlpha = 1;
    labels(context, width);
  }

  function found(x, y) {
    const row = rows[Math.floor((y - top) / thick)], width = drawing.element.clientWidth;
    if (!row || x < left(width)) return few && row ? row[row.length - 1] : -1;
    const time = view.from + ((x - left(width)) / (width - left(width) - 8)) * (view.to - view.from), slack = ((view.to - view.from) / width) * 4;
    return row.find((one) => time >= data.start[one] - slack && time <= until(one) + slack) ?? -1;
  }

  function told(x, y) {
    const n = found(x, y);
    if (n < 0) return "";
    return `${data.name(n)}\n${phase(n)}, ${data.templates[data.template[n]]}\nfrom ${lasting(data.start[n])}, for ${lasting(until(n) - data.start[n])}${data.waited[n] ? `, after ${lasting(data.waited[n])} of waiting` : ""}`;
  }

  const drawing = picture(() => Math.max(170, top + rows.length * thick + bottom), "Timeline", draw, told);
  function zoom(from, to) {
    const span = Math.max(total / 5000, Math.min(total, to - from));
    view.from = Math.max(0, Math.min(from, total - span));
    view.to = view.from + span;
    view.whole = span >= total;
    drawing.paint();
  }
  const scale = (factor, middle = (view.from + view.to) / 2) => zoom(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
  const shift = (share) => zoom(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);
  if (choose) {
    drawing.element.tabIndex = 0;
    drawing.element.addEventListener("click", (event) => { const n = found(event.offsetX, event.offsetY); if (n >= 0) choose(n); });
    drawing.element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step || !bars.length) return;
      event.preventDefault();
      const place = bars.indexOf(data.chosen);
      choose(bars[place < 0 ? 0 : Math.min(bars.length - 1, Math.max(0, place + step))]);
    });
  }

  const present = () => data.statuses.filter((_, kind) => bars.some((n) => data.status[n] === kind));
  const button = (text, name, act) => make("button", { type: "button", title: name, "aria-label": name, click: act }, text);
  const legend = make("ul", { class: "legend" }), note = make("p", { class: "note" });
  const element = make("div", { class: "timeline" },
    make("div", { class: "bar" }, button("+", "Zoom in", () => scale(0.5)), button("−", "Zoom out", () => scale(2)), button("◀", "Earlier", () => shift(-0.4)), button("▶", "Later", () => shift(0.4)), button("Whole run", "Show the whole run", () => zoom(0, total))),
    drawing.element, legend, note,
    savers({
      ...drawing, title: () => title, keys: () => present().map((one) => ({ name: one, shade: phaseColour(one) })),
      data: () => ({ names: ["task", "template", "status", "start", "seconds", "waited"], rows: bars.map((n) => [data.name(n), data.templates[data.template[n]], phase(n), data.start[n], data.length[n], data.waited[n] ?? null]) }),
    }));

  function update(next) {
    data = next;
    const left_out = new Set(["Skipped", "Omitted"].map((one) => data.statuses.indexOf(one)));
    bars = data.start.flatMap((begin, n) => (begin >= 0 && !left_out.has(data.status[n]) ? [n] : [])).sort((a, b) => data.start[a] - data.start[b] || a - b);
    total = bars.reduce((longest, n) => Math.max(longest, until(n)), Math.max(data.now, 0.5));
    rows = rowsOfTasks(bars, data);
    few = rows.length <= MOST_NAMED;
    if (!few) rows = sharedRows(bars, data, seen);
    thick = few ? 19 : Math.min(16, 520 / rows.length);
    steps = stepsOfTime(bars.filter((n) => !data.idle?.(n)), data.start, seen);
    most = steps.reduce((high, [, running]) => Math.max(high, running), 1);
    if (view.whole) { view.from = 0; view.to = total; }
    drawing.element.setAttribute("aria-label", `Timeline: ${bars.length} tasks over ${lasting(total)}, at most ${most} under way at once. Start and length of each are in the table of tasks.`);
    legend.replaceChildren(...phaseLegend(present()));
    note.textContent = `${few ? "One row per task. " : "Tasks of one template share rows. "}${data.note(few)}`;
    drawing.paint();
  }
  return { element, update };
}
