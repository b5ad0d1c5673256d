// What the tasks of a template were given and what they gave, a row each, as `hera-utils results` prints it.

const MOST_RESULTS = 500; // rows that are shown; the file has all

const keyOf = ({ role, name }) => `${role}.${name}`;
const itemOf = (node) => Number((/\((\d+):/.exec(node.displayName || "") || [])[1] || 0); // work(12:x) is the twelfth item of a loop

/** The number of each task's name in the templates, which are in the order of the script. Nodes come in no order. */
const placesOf = (run) => {
  const templates = ((run.status || {}).storedWorkflowTemplateSpec || run.spec || {}).templates || [];
  const names = templates.flatMap(({ dag, steps }) => (dag ? dag.tasks || [] : (steps || []).flat())).map(({ name }) => name);
  return new Map([...names.entries()].reverse().map(([place, name]) => [name, place])); // of equal names the first
};

class ResultsView {
  /** choose(id): a task is to be looked at. */
  constructor(name, choose) {
    this.name = name;
    this.choose = choose;
    this.template = address.get("template");
    this.choice = make("select", { "aria-label": "Template", onchange: (event) => { this.template = event.target.value; address.set({ template: this.template }); this.draw(...this.state); } });
    this.of = make("label.row", {}, "Tasks of ", this.choice);
    this.head = make("tr");
    this.body = make("tbody");
    this.note = make("p.note");
    const save = pictures.saveButtons(() => `Results of ${name}`, { CSV: () => pictures.asCsv({ names: ["task", "status", ...this.columns.map((one) => one.name)], rows: this.sorted().map((row) => this.cells(row)) }) });
    this.element = make("div.view", { hidden: true }, this.of, make("div.wide.results", { tabindex: "0", role: "region", "aria-label": "Results" }, make("table", {}, make("thead", {}, this.head), this.body)), this.note, save);
    this.sketch = new Sketch(this.element, (...state) => this.draw(...state));
  }

  update(...state) { this.sketch.update(...state); }

  draw(run, nodes, chosen) {
    this.state = [run, nodes, chosen];
    this.chosen = chosen;
    const templates = byTemplate(nodes), known = templates.find(([name]) => name === this.template) || templates[0] || ["", []];
    this.of.hidden = templates.length < 2;
    const options = templates.map(([name, tasks]) => make("option", { value: name, selected: name === known[0] }, `${name} (${tasks.length})`));
    if (document.activeElement !== this.choice) this.choice.replaceChildren(...options); // an open list is left alone
    const places = placesOf(run), placeOf = (node) => places.get((node.displayName || "").replace(/\(.*/, "")) ?? places.size;
    this.tasks = known[1].sort((one, other) => placeOf(one) - placeOf(other) || itemOf(one) - itemOf(other));
    this.columns = Object.values(tableOf(this.tasks, nodes).columns);
    this.heads();
    this.fill();
  }

  /** The heads of the columns, anew when there are others. */
  heads() {
    const titles = { name: "Task", status: "Status", ...Object.fromEntries(this.columns.map((one) => [keyOf(one), one.name])) };
    const signature = JSON.stringify([titles, this.columns.map((one) => one.numeric)]);
    if (signature === this.signature) return;
    this.signature = signature;
    this.order = new SortOrder(titles, () => this.fill(), "by");
    const numbers = new Set(this.columns.filter((one) => one.numeric).map(keyOf));
    this.head.replaceChildren(...Object.keys(titles).map((name) => this.order.head(make(numbers.has(name) ? "th.number" : "th", { scope: "col" }), name)));
  }

  sorted() {
    const values = new Map(this.columns.map((one) => [keyOf(one), one.values]));
    return this.order.sorted(this.tasks.map((_, row) => row), (row, column) => {
      if (column === "name") return this.tasks[row].displayName || this.tasks[row].name;
      return column === "status" ? PHASE_ORDER.indexOf(shownPhase(this.tasks[row])) : values.get(column)[row];
    });
  }

  cells(row) {
    const node = this.tasks[row];
    return [node.displayName || node.name, shownPhase(node), ...this.columns.map((one) => one.values[row])];
  }

  fill() {
    const rows = this.sorted().slice(0, MOST_RESULTS), more = this.tasks.length - rows.length;
    this.note.textContent = !this.tasks.length ? "No task has been reached."
      : `${more ? `The first ${rows.length} of ${this.tasks.length} rows; the file has all. ` : ""}Inputs that are the same for all tasks are left out.`;
    const told = JSON.stringify([this.signature, this.chosen, rows.map((row) => [this.tasks[row].id, ...this.cells(row)])]);
    if (told === this.told) return; // hundreds of rows are laid out for nothing
    this.told = told;
    redraw(this.body, ...rows.map((row) => {
      const node = this.tasks[row], [name, phase] = this.cells(row);
      const cell = ({ values, numeric }) => make(numeric ? "td.number" : "td", { title: values[row] ?? "" }, values[row] === null ? "" : numeric ? pictures.short(values[row]) : values[row]);
      return make("tr", { "aria-selected": String(node.id === this.chosen) }, make("td", {}, make("button.link", { type: "button", onclick: () => this.choose(node.id) }, name)), make("td", {}, phaseMark(phase)), ...this.columns.map(cell));
    }));
  }
}
