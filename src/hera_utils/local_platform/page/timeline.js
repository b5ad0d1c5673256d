// The tasks of a run over time: the table behind the picture, and when it is drawn again.

/** What a timeline needs (pictures/timeline.js), of the nodes that do something themselves. Bounded by them; times in seconds since the run began. */
const timesOf = (run, nodes, chosen) => {
  const tasks = Object.values(nodes).filter((node) => ![...OUTLINES, "Container"].includes(node.type)); // of those, what they hold has bars
  const retried = attemptsIn(nodes);
  const begun = Date.parse(run.status.startedAt || ""), since = (text) => (text ? Math.round(Date.parse(text) - begun) / 1000 : -1);
  const numbered = (words) => { const all = [...new Set(words)], places = new Map(all.map((word, n) => [word, n])); return [all, words.map((word) => places.get(word))]; };
  const [templates, template] = numbered(tasks.map((node) => node.templateName || (node.templateRef || {}).template || node.type));
  const [statuses, status] = numbered(tasks.map(shownPhase));
  const times = tasks.map(ranAt), name = (node) => node.displayName || node.name;
  return {
    ids: tasks.map((node) => node.id), templates, template, statuses, status,
    start: times.map(({ from }) => (from ? Math.max(0, since(from)) : -1)),
    length: times.map(({ from, to }) => (from && to ? Math.max(0, Date.parse(to) - Date.parse(from)) / 1000 : null)),
    waited: tasks.map((node) => (node[RAN] || {}).startDelay || 0),
    row: tasks.map((node) => (retried.get(node.id) || node).id), rowName: (n) => name(retried.get(tasks[n].id) || tasks[n]),
    name: (n) => name(tasks[n]), idle: (n) => tasks[n].type === "Suspend", now: seconds(run.status.startedAt, run.status.finishedAt) || 0, chosen: tasks.findIndex((node) => node.id === chosen),
  };
};

class TimelineView {
  /** choose(id): a task is to be looked at. */
  constructor(name, choose) {
    this.ids = [];
    this.picture = pictures.timelinePicture(`Timeline of ${name}`, (n) => choose(this.ids[n]));
    this.empty = make("p.note", { hidden: true }, "No task has started.");
    this.picture.element.hidden = true; // nothing is known before the run is read
    this.element = make("div.view", { hidden: true }, this.empty, this.picture.element);
    this.sketch = new Sketch(this.element, (...state) => this.draw(...state));
  }

  update(...state) { this.sketch.update(...state); }

  draw(run, nodes, chosen) {
    const data = timesOf(run, nodes, chosen), started = data.start.some((begin) => begin >= 0);
    this.ids = data.ids;
    const waiting = data.status.filter((one) => data.statuses[one] === "Pending").length;
    const note = (few) => `Each bar is the time in which a task ran${few ? "; the thin line before it, that for which it waited for a place, its image and its inputs" : ""}.${waiting ? ` ${waiting} wait to start.` : ""}`;
    this.empty.hidden = started;
    this.picture.element.hidden = !started;
    this.picture.update({ ...data, note });
  }
}
