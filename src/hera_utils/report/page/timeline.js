"use strict";
// When each task ran: a row a task where there are few, else rows shared by tasks that do not overlap, template by template.

const MOST_NAMED = 60;

function timeline() {
  const { templates, statuses, start, length, waited, template, status } = story.timeline;
  const tasks = start.map((_, n) => n).filter((n) => start[n] >= 0 && !["Skipped", "Omitted"].includes(statuses[status[n]]));
  if (!tasks.length) return null;
  const now = story.ended === null ? Math.max(...tasks.map((n) => start[n] + (length[n] || 0)), 1) : story.ended - story.begun;
  const until = (n) => start[n] + (length[n] ?? Math.max(0, now - start[n]));
  const total = tasks.reduce((most, n) => Math.max(most, until(n)), Math.max(now || 0, 0.5));
  const names = unpacked(story.tables[story.tables.length - 1].columns.find((column) => column.name === "task")).values;
  const few = tasks.length <= MOST_NAMED;
  const lanes = few ? tasks.sort((a, b) => start[a] - start[b] || a - b).map((n) => [n]) : packed();
  const state = { from: 0, to: total };

  /** Tasks of one template share rows as long as they do not overlap. */
  function packed() {
    const found = [];
    templates.forEach((_, kind) => {
      const own = [], ends = [];
      const free = []; // numbers of rows by when they end: a heap would be faster, but ends only grow here
      for (const n of tasks.filter((one) => template[one] === kind).sort((a, b) => start[a] - start[b] || until(a) - until(b))) {
        let row = free.length && ends[free[0]] <= start[n] ? free.shift() : -1;
        if (row < 0) { row = own.length; own.push([]); }
        own[row].push(n);
        ends[row] = Math.max(until(n), start[n] + total / 2000);
        let low = 0, high = free.length;
        while (low < high) { const middle = (low + high) >> 1; if (ends[free[middle]] <= ends[row]) low = middle + 1; else high = middle; }
        free.splice(low, 0, row);
      }
      found.push(...own);
    });
    return found;
  }

  const thick = few ? 19 : Math.min(16, 520 / lanes.length), top = 74, bottom = 26, gap = thick > 5 ? 2 : 0;
  const height = Math.max(170, top + lanes.length * thick + bottom);
  const left = (width) => (few ? Math.min(220, width * 0.32) : Math.min(130, Math.max(92, width * 0.16)));
  const at = (time, width) => left(width) + ((time - state.from) / (state.to - state.from)) * (width - left(width) - 8);

  /** How many tasks ran at each moment, as steps. */
  const steps = (() => {
    const changes = tasks.flatMap((n) => [[start[n], 1], [Math.max(until(n), start[n] + total / 1000), -1]]).sort((a, b) => a[0] - b[0]);
    const found = [[0, 0]];
    let running = 0;
    for (const [time, change] of changes) {
      running += change;
      if (found[found.length - 1][0] === time) found[found.length - 1][1] = running; else found.push([time, running]);
    }
    return found;
  })();
  const most = Math.max(...steps.map((one) => one[1]));

  function draw(context, width, tall) {
    const from = left(width), faint = colour("faint"), ink = colour("ink"), line = colour("grid");
    context.textBaseline = "middle";
    context.strokeStyle = line;
    context.fillStyle = faint;
    context.textAlign = "center";
    let written = 0;
    for (const tick of ticks(state.from, state.to, (width - from) / 90)) {
      const x = Math.round(at(tick, width)) + 0.5;
      context.beginPath(); context.moveTo(x, 8); context.lineTo(x, tall - bottom); context.stroke();
      const words = lasting(tick) || "0", half = context.measureText(words).width / 2;
      const middle = Math.min(x, width - half - 2);
      if (middle - half > written) { context.fillText(words, middle, tall - bottom / 2); written = middle + half + 6; }
    }
    context.save();
    context.beginPath(); context.rect(from, 0, width - from, tall); context.clip();
    context.beginPath(); context.moveTo(at(0, width), top - 14);
    let before = 0;
    for (const [time, running] of steps) {
      context.lineTo(at(time, width), top - 14 - (before / most) * 48);
      context.lineTo(at(time, width), top - 14 - (running / most) * 48);
      before = running;
    }
    context.lineTo(at(total, width), top - 14); context.closePath();
    context.globalAlpha = 0.35; context.fillStyle = colour("c0"); context.fill(); context.globalAlpha = 1;
    const colours = Object.fromEntries(statuses.map((one) => [one, phaseColour(one)]));
    lanes.forEach((lane, row) => {
      for (const n of lane) {
        const x = at(start[n], width), end = at(until(n), width);
        if (few && waited[n]) { // from when it could have run
          const since = at(Math.max(0, start[n] - waited[n]), width);
          context.globalAlpha = 0.4; context.fillStyle = colour("wait");
          context.fillRect(since, top + row * thick + thick * 0.35, x - since, thick * 0.2);
        }
        if (end < from || x > width) continue;
        context.fillStyle = colours[statuses[status[n]]];
        context.globalAlpha = few ? 0.85 : 0.75;
        context.fillRect(x, top + row * thick, Math.max(few ? 3 : 1.2, end - x - (few ? 0 : 0.4)), thick - gap);
      }
    });
    context.restore();
    context.globalAlpha = 1;
    context.fillStyle = faint; context.textAlign = "right";
    context.fillText(fitted(context, `up to ${most}`, from - 10), from - 8, 20);
    if (few) {
      context.fillStyle = ink;
      lanes.forEach(([n], row) => context.fillText(fitted(context, names[n], from - 14), from - 8, top + row * thick + thick / 2));
    } else {
      context.fillStyle = ink;
      let row = 0;
      templates.forEach((name, kind) => {
        const own = lanes.filter((lane) => template[lane[0]] === kind).length;
        if (own * thick > 9) context.fillText(fitted(context, name, from - 14), from - 8, top + (row + own / 2) * thick);
        row += own;
      });
    }
  }

  function told(x, y) {
    const row = Math.floor((y - top) / thick), lane = lanes[row], width = drawing.element.clientWidth;
    if (!lane || x < left(width)) return "";
    const time = state.from + ((x - left(width)) / (width - left(width) - 8)) * (state.to - state.from), slack = ((state.to - state.from) / width) * 4;
    const n = lane.find((one) => time >= start[one] - slack && time <= until(one) + slack);
    return n === undefined ? "" : `${names[n]}\n${statuses[status[n]]}, ${templates[template[n]]}\nfrom ${lasting(start[n])}, for ${lasting(until(n) - start[n])}${waited[n] ? `, after ${lasting(waited[n])} of waiting` : ""}`;
  }

  const label = `Timeline: ${tasks.length} tasks over ${lasting(total)}, at most ${most} under way at once. Start and length of each are in the table of tasks.`;
  const drawing = picture(height, label, draw, told);
  function zoom(from, to) {
    const span = Math.max(total / 5000, Math.min(total, to - from));
    state.from = Math.max(0, Math.min(from, total - span));
    state.to = state.from + span;
    drawing.paint();
  }
  const scale = (factor, middle = (state.from + state.to) / 2) => zoom(middle - (middle - state.from) * factor, middle + (state.to - middle) * factor);
  const shift = (share) => zoom(state.from + (state.to - state.from) * share, state.to + (state.to - state.from) * share);
  const button = (text, title, act) => make("button", { type: "button", title, "aria-label": title, click: act }, text);
  const present = statuses.filter((_, n) => tasks.some((one) => status[one] === n));
  return make("div", {},
    make("div", { class: "bar" }, button("+", "Zoom in", () => scale(0.5)), button("−", "Zoom out", () => scale(2)), button("◀", "Earlier", () => shift(-0.4)), button("▶", "Later", () => shift(0.4)), button("Whole run", "Show the whole run", () => zoom(0, total))),
    drawing.element,
    make("ul", { class: "legend" }, present.map((phase) => {
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = `var(--${PHASE_COLOURS[phase] || "wait"})`;
      return make("li", {}, swatch, `${MARKS[phase] || "○"} ${phase}`);
    })),
    make("p", { class: "note" }, few ? "One row per task. " : "Tasks of one template share rows. ", story.waiting ? "Argo gives times in whole seconds; waiting for a free place is part of a task's time." : few && waited.some(Boolean) ? "Each bar is the time in which a task ran; the thin line before it, that for which it waited for a place, its image and its inputs." : "Each bar is the time in which a task ran."),
    savers({
      ...drawing, title: () => `Timeline of ${story.run}`, keys: () => present.map((phase) => ({ name: phase, shade: phaseColour(phase) })),
      data: () => ({ names: ["task", "template", "status", "start", "seconds", "waited"], rows: tasks.map((n) => [names[n], templates[template[n]], statuses[status[n]], start[n], length[n], waited[n] ?? null]) }),
    }));
}
