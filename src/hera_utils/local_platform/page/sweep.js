// The table behind the pictures of a run that goes on: one row per task of the template that has most to show.

const FEWEST_ROWS = 3;
const FEW = 10; // lines in one picture that can be told apart

/** Tasks with inputs by template, those with the most tasks first: [[template, tasks]]. */
const byTemplate = (nodes) => {
  const templates = new Map();
  for (const node of tasksOf(nodes).filter(({ type }) => type === "Pod" || type === "Retry")) {
    const name = node.templateName || (node.templateRef || {}).template || "";
    if (templates.has(name)) templates.get(name).push(node); else templates.set(name, [node]);
  }
  return [...templates].sort(([, one], [, other]) => other.length - one.length);
};

/** A column of texts; of numbers where each one that is there is a number as one writes it (007 is none). */
const columnOf = (name, role, cells) => {
  const isNumber = (text) => /^-?(0|[1-9]\d{0,17})(\.\d+)?([eE][-+]?\d+)?$/.test(text);
  const there = cells.filter((cell) => cell !== null);
  const numeric = there.length > 0 && there.every(isNumber);
  return { name, role, numeric, values: numeric ? cells.map((cell) => (cell === null ? null : Number(cell))) : cells };
};

const varies = (column) => new Set(column.values.filter((value) => value !== null)).size > 1;

/** Whether each value of one comes with a single value of the other, and more than by chance: the folder of a year says no more than it. */
const decides = (one, other) => {
  const count = new Set(one.values).size, together = new Set(one.values.map((value, n) => `${value}\u0001${other.values[n]}`)).size;
  return count <= one.values.length / 2 && together === count;
};

/** The columns of some tasks, with what varies of their inputs, and seconds: of what is retried the last attempt's. */
const tableOf = (tasks, nodes) => {
  const texts = (io) => Object.fromEntries(((io || {}).parameters || []).filter((one) => one.value !== undefined).map((one) => [one.name, String(one.value)]));
  const inputs = tasks.map((node) => texts(node.inputs)), done = (node) => node.phase === "Succeeded";
  const outputs = tasks.map((node) => (done(node) ? { ...texts(node.outputs), ...((node.outputs || {}).result === undefined ? {} : { result: String(node.outputs.result).trim() }) } : {}));
  const names = (rows) => [...new Set(rows.flatMap(Object.keys))];
  const column = (rows, role) => (name) => columnOf(name, role, rows.map((row) => row[name] ?? null));
  const given = names(inputs).map(column(inputs, "input")).filter(varies);
  const found = names(outputs).map(column(outputs, "output")).map((one) => (given.some((input) => input.name === one.name) ? { ...one, name: `outputs.${one.name}` } : one));
  const took = { name: "seconds", role: "measure", numeric: true, values: tasks.map((node) => (node.finishedAt ? secondsOf(lastAttempt(node, nodes)) : null)) };
  const axes = given.filter((one, n) => one.numeric || !given.some((other, k) => k !== n && (other.numeric || k < n) && decides(other, one))).map((one) => one.name);
  return { columns: Object.fromEntries([...given, ...found, took].map((one) => [one.name, one])), rows: tasks.map((_, n) => n), axes };
};

/** {columns, rows, axes, output} of the template with the most tasks that have a result in numbers; null where there is none. */
const sweepOf = (nodes) => {
  for (const [, tasks] of byTemplate(nodes)) {
    if (tasks.length < FEWEST_ROWS) break;
    const table = tableOf(tasks, nodes);
    const output = Object.values(table.columns).find((one) => one.role === "output" && one.numeric && varies(one));
    if (output && table.axes.length) return { ...table, output: output.name, results: output.values.filter((value) => value !== null).length };
  }
  return null;
};

/** Which picture to begin with: as in the report (report/plots.py), whose inputs need not be counted while more of them come. */
const firstPicture = ({ axes: all, columns, output }) => {
  const repeated = all.filter((name) => !pictures.isSeed(name)), axes = repeated.length ? repeated : all;
  const count = (name) => new Set(columns[name].values).size, comesAgain = (name) => count(name) <= columns[name].values.length / 2;
  const x = axes.find((name) => columns[name].numeric) || axes[0];
  if (axes.length > 2) return { kind: "parallel", output, x, series: "" };
  if (axes.length < 2) return { kind: columns[x].numeric ? "line" : "bars", output, x, series: "" };
  const few = [...axes].reverse().map((series) => ({ series, x: axes.find((name) => name !== series) })).filter((one) => count(one.series) <= FEW && columns[one.x].numeric && comesAgain(one.x));
  if (few.length) return { kind: "line", output, ...few.reduce((one, other) => (count(other.series) < count(one.series) ? other : one)) };
  return { kind: "scatter", output, x, series: axes.find((name) => name !== x) };
};

/** The section of pictures below the tree: made when there is something to show, drawn again when there are more results. */
class SweepView {
  constructor() {
    this.element = make("section", { "aria-label": "Pictures", hidden: true });
    this.drawn = "";
    this.due = 0;
  }

  /** At most once a second; while results come in quickly the last ones are drawn a little later. */
  update(nodes) {
    const wait = this.due - Date.now();
    clearTimeout(this.later);
    if (wait > 0) { this.later = setTimeout(() => this.update(nodes), wait); return; }
    const began = performance.now(), table = sweepOf(nodes);
    const state = table && [table.output, table.axes, table.rows.length, table.results].join();
    if (table && state !== this.drawn) this.draw(table, state);
    this.due = Date.now() + Math.max(1000, 10 * (performance.now() - began)); // a large run is not drawn all the time
  }

  draw(table, state) {
    this.drawn = state;
    if (!this.cards) {
      this.element.hidden = false;
      this.cards = pictures.cards(pictures.withSurvey([firstPicture(table)], table.axes, table.rows.length), table);
      this.element.append(make("h2", {}, "Pictures"), this.cards.element);
    } else this.cards.update(table);
  }
}
