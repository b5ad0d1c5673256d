"use strict";
// What tasks needed: time, processor, memory and bytes by template, beside what they requested.

const MEASURES = [
  { title: "peak memory", of: (task) => task.peak_memory, requested: (task) => task.requested_memory, words: size },
  { title: "cores used", of: (task) => (task.seconds > 0.05 ? task.cpu_seconds / task.seconds : null), requested: (task) => task.requested_cpu, words: short },
  { title: "processor time", of: (task) => task.cpu_seconds, words: lasting },
  { title: "time", of: (task) => task.seconds, words: lasting },
  { title: "delay of the start", of: (task) => task.start_delay, words: lasting },
  { title: "bytes read", of: (task) => task.read_bytes, words: size },
  { title: "bytes written", of: (task) => task.written_bytes, words: size },
];
const MOST_TEMPLATES = 24, LANE = 34;

function resources() {
  const list = story.resources;
  if (!list.length || !story.seconds && !list.some((one) => Object.keys(one.usage).length)) return null;
  return make("div", {}, distribution(), needs(list));
}

// --- a row per template -----------------------------------------------------------------------------------------------------------

function needs(list) {
  const names = [...new Set(list.flatMap((one) => Object.keys(one.usage)))].filter((name) => list.some((one) => one.usage[name]));
  const units = { cpu: "core seconds requested", memory: "memory requested (100 MiB s)" }, most = Math.max(...list.map((one) => one.seconds), 1e-9);
  const measured = list.some((one) => one.used);
  const of = (one, name, words) => (one.used && one.used[name] !== null ? words(one.used[name]) : "");
  const used = !measured ? [] : [
    ["processor time", (one) => of(one, "cpu_seconds", lasting)],
    ["cores used", (one) => (one.used && one.used.seconds ? short(Number((one.used.cpu_seconds / one.used.seconds).toPrecision(2))) : "")],
    ["requested", (one) => of(one, "requested_cpu", short)],
    ["largest memory", (one) => of(one, "peak_memory", size)],
    ["requested", (one) => of(one, "requested_memory", size)],
    ["read", (one) => of(one, "read_bytes", size)],
    ["written", (one) => of(one, "written_bytes", size)],
  ];
  const rows = list.map((one) => {
    const share = make("span", { class: "share", "aria-hidden": "true" });
    share.style.width = `${(one.seconds / most) * 9}rem`;
    return make("tr", {}, make("th", { scope: "row" }, one.template || "(inline)"), make("td", { class: "right" }, short(one.tasks)), make("td", { class: "right" }, lasting(one.seconds)), make("td", {}, share),
      make("td", { class: "right" }, lasting(one.seconds / one.tasks)), make("td", { class: "right" }, lasting(one.longest)), used.map(([, text]) => make("td", { class: "right" }, text(one))), measured ? null : names.map((name) => make("td", { class: "right" }, short(one.usage[name] || 0))));
  });
  const heads = ["template", "tasks", "time", "", "mean", "longest", ...used.map(([head]) => head), ...(measured ? [] : names.map((name) => units[name] || name))];
  return make("div", { class: "wide" }, make("table", { class: "plain" }, make("thead", {}, make("tr", {}, heads.map((one, n) => make("th", { scope: "col", class: n && n !== 3 ? "right" : "" }, one)))), make("tbody", {}, rows)),
    measured ? make("p", { class: "note" }, "Measured by the kernel, of every process of a task; of a retried task the last attempt. A pod that requests nothing has no figure there.")
      : names.length ? make("p", { class: "note" }, "What tasks requested, times how long they ran (Argo's resourcesDuration).") : null);
}

// --- a lane per template, a dot per task ------------------------------------------------------------------------------------------

function distribution() {
  const table = story.tables.find((one) => one.title === "tasks");
  const columns = Object.fromEntries(table.columns.filter((column) => column.role !== "log").map((column) => [column.name, unpacked(column).values]));
  if (!columns.cpu_seconds) return null;
  const tasks = Array.from({ length: table.rows }, (_, row) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]])));
  const measures = MEASURES.filter((measure) => tasks.some((task) => Number.isFinite(measure.of(task))));
  if (!measures.length) return null;
  let measure = measures[0], hits = [];
  const lanesOf = () => {
    const lanes = new Map();
    for (const task of tasks) {
      const value = measure.of(task);
      if (!Number.isFinite(value)) continue;
      if (!lanes.has(task.template)) lanes.set(task.template, { values: [], requested: null });
      const lane = lanes.get(task.template), requested = measure.requested ? measure.requested(task) : null;
      lane.values.push({ value, task });
      if (Number.isFinite(requested)) lane.requested = Math.max(lane.requested ?? 0, requested);
    }
    for (const lane of lanes.values()) lane.values.sort((one, other) => one.value - other.value);
    return [...lanes].sort(([, one], [, other]) => other.values.at(-1).value - one.values.at(-1).value).slice(0, MOST_TEMPLATES);
  };
  const drawing = picture(() => lanesOf().length * LANE + 34, "", (context, width, tall) => { hits = []; draw(context, width, tall, lanesOf(), measure, hits); }, (x, y) => {
    const best = hits.map((one) => [(one.x - x) ** 2 + (one.y - y) ** 2, one]).filter(([far]) => far < 144).sort(([one], [other]) => one - other)[0];
    return best ? best[1].text() : "";
  });
  const note = make("p", { class: "note" });
  const settle = (title) => {
    measure = measures.find((one) => one.title === title);
    const lanes = lanesOf(), asked = lanes.some(([, lane]) => lane.requested !== null);
    note.textContent = `A dot per task, a bar over the middle half, a stroke at the median${asked ? "; the dashed line is what was requested" : ""}.`;
    drawing.element.setAttribute("aria-label", `${title} by template: ${lanes.map(([name, lane]) => `${name} from ${measure.words(lane.values[0].value)} to ${measure.words(lane.values.at(-1).value)}`).join(", ")}.`);
    drawing.paint();
  };
  const made = make("div", { class: "needs" }, make("div", { class: "bar" }, choice("Distribution of", measures.map((one) => one.title), measure.title, settle)), drawing.element, note);
  settle(measure.title);
  return made;
}

function draw(context, width, tall, lanes, measure, hits) {
  const names = lanes.map(([name]) => name || "(inline)"), left = Math.min(width * 0.3, 14 + Math.max(...names.map((name) => context.measureText(name).width))), right = width - 14;
  const most = Math.max(...lanes.flatMap(([, lane]) => [lane.values.at(-1).value, lane.requested ?? 0]), 1e-12), px = (value) => left + 4 + (value / most) * (right - left - 8);
  context.textBaseline = "middle";
  context.lineWidth = 1;
  const unit = measure.words === size && most > 0 ? 1024 ** Math.min(4, Math.floor(Math.log2(most) / 10)) : 1;
  for (const value of ticks(0, most / unit, width / 130).map((one) => one * unit)) {
    context.strokeStyle = colour("grid");
    context.beginPath(); context.moveTo(px(value), 4); context.lineTo(px(value), tall - 28); context.stroke();
    context.fillStyle = colour("faint"); context.textAlign = "center";
    context.fillText(measure.words(value), Math.min(px(value), width - 24), tall - 14);
  }
  lanes.forEach(([name, { values, requested }], n) => {
    const y = 6 + n * LANE + LANE / 2, at = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))].value, few = values.length < 5;
    context.fillStyle = colour("ink"); context.textAlign = "right";
    context.fillText(fitted(context, names[n], left - 10), left - 8, y);
    context.fillStyle = colour("c0");
    if (!few) { context.globalAlpha = 0.25; context.fillRect(px(at(0.25)), y - 9, Math.max(1, px(at(0.75)) - px(at(0.25))), 18); }
    context.globalAlpha = Math.max(0.15, Math.min(0.85, 30 / values.length));
    values.forEach(({ value, task }, place) => {
      const x = px(value), up = few ? y : y - 8 + ((place * 7) % 17);
      context.beginPath(); context.arc(x, up, 3, 0, 7); context.fill();
      if (hits.length < 5000) hits.push({ x, y: up, text: () => `${task.task}\n${measure.title}: ${measure.words(value)}` });
    });
    context.globalAlpha = 1;
    if (!few) { context.fillStyle = colour("ink"); context.fillRect(px(at(0.5)) - 1, y - 10, 2, 20); }
    if (requested !== null) {
      context.strokeStyle = colour("bad"); context.lineWidth = 2; context.setLineDash([4, 3]);
      context.beginPath(); context.moveTo(px(requested), y - 14); context.lineTo(px(requested), y + 14); context.stroke();
      context.setLineDash([]); context.lineWidth = 1;
      hits.push({ x: px(requested), y, text: () => `${name}\nrequested: ${measure.words(requested)}` });
    }
  });
}
