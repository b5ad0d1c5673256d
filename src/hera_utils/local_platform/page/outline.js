// The tasks of a run as a tree with columns; only the rows in sight exist. With a filter: whatever fits it, flat.

const ROW = 26;

class Outline {
  /** choose(id): a node is to be looked at; reached(id): the same, on the way through the rows by the keyboard. reason(node): why it failed. */
  constructor({ choose, reached, reason }) {
    Object.assign(this, { choose, reached, reason });
    this.nodes = {};
    this.tree = { roots: [], children: new Map(), ids: [] };
    this.folds = new Map(); // what the reader opened or closed by hand
    this.filter = { text: "", phase: "" };
    this.chosen = null;
    this.order = new SortOrder({ name: "Name", status: "Status", start: "Started", duration: "Duration" }, () => this.layout());
    const search = make("input", { type: "search", placeholder: "Find a node…", "aria-label": "Find a node", oninput: (event) => { this.filter.text = event.target.value.toLowerCase(); this.layout(); } });
    const head = (name, style) => this.order.head(make(`span.${style}`, { role: "columnheader" }), name);
    this.chips = make("span.row");
    this.count = make("p.note");
    this.rows = make("div.rows", { role: "presentation" });
    this.view = make("div.tree", { role: "treegrid", tabindex: "0", "aria-label": "Nodes", onscroll: () => this.paint(), onkeydown: (event) => this.key(event) },
      make("div.head", { role: "row" }, head("name", "name"), head("status", "note"), head("start", "begun"), head("duration", "time")), this.rows);
    this.element = make("div.view", {}, make("div.row", {}, search, this.chips), this.count, this.view);
    new ResizeObserver(() => this.paint()).observe(this.view);
  }

  update(nodes, chosen) {
    this.nodes = nodes;
    this.chosen = chosen;
    this.tree = growTree(nodes, this.tree);
    const counts = {};
    this.tasks = new Set();
    for (const node of tasksOf(nodes)) {
      this.tasks.add(node.id);
      counts[shownPhase(node)] = (counts[shownPhase(node)] || 0) + 1;
    }
    redraw(this.chips, ...Object.entries(counts).map(([phase, count]) => make("button", {
      "aria-pressed": String(this.filter.phase === phase), onclick: () => this.only(this.filter.phase === phase ? "" : phase),
    }, phaseMark(phase), ` ${count}`)));
    this.layout();
  }

  /** Show the tasks of one phase, of all with "". */
  only(phase) {
    this.filter.phase = phase;
    this.update(this.nodes, this.chosen);
  }

  isOpen(id, size) {
    if (this.folds.has(id)) return this.folds.get(id);
    const node = this.nodes[id];
    // A retried task that succeeded and a very large fan-out say enough by themselves. Rows out of sight cost nothing.
    return (size <= 1000 || this.tree.roots.includes(id)) && !(node.type === "Retry" && node.phase === "Succeeded");
  }

  value(id, column) {
    const node = this.nodes[id];
    if (column === "name") return node.displayName || node.name;
    if (column === "status") return PHASE_ORDER.indexOf(shownPhase(node));
    return column === "start" ? Date.parse(ranAt(node).from) || null : secondsOf(node);
  }

  layout() {
    const sorted = (ids) => this.order.sorted(ids, (id, column) => this.value(id, column));
    this.shown = rowsOf(this.nodes, this.tree, { open: (id, size) => this.isOpen(id, size), filter: this.filter, tasks: this.tasks, sorted });
    this.rows.style.height = `${this.shown.length * ROW}px`;
    const all = Object.keys(this.nodes).length;
    this.count.textContent = this.shown.length === all ? `${all} nodes` : `${this.shown.length} of ${all} nodes`;
    this.paint();
  }

  paint() {
    if (!this.shown || this.element.hidden) return;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW) - 8);
    const rows = this.shown.slice(first, first + Math.ceil((this.view.clientHeight || 600) / ROW) + 16);
    this.rows.replaceChildren(...rows.map((row, at) => this.item(row, first + at)));
  }

  item(row, index) {
    const node = this.nodes[row.id], below = this.tree.children.get(row.id), open = row.folder && this.isOpen(row.id, below.length);
    const counted = below && !open ? `${below.length} below` : "", { from } = ranAt(node);
    const remark = [[node.message, this.reason(node)].filter(Boolean).join(": "), counted, node.templateName || (node.templateRef || {}).template].filter(Boolean).join(" · ");
    const cell = (style, ...content) => make(`span.${style}`, { role: "gridcell" }, ...content);
    const name = cell("name",
      make("span.fold", { "aria-hidden": "true", onclick: (event) => { event.stopPropagation(); this.fold(row, !open); } }, row.folder ? (open ? "▾" : "▸") : ""),
      phaseMark(shownPhase(node), false), " ", node.displayName || node.name);
    const element = make("div.item", {
      role: "row", id: `row-${index}`, "aria-level": row.level, "aria-rowindex": index + 2, "aria-expanded": row.folder ? String(open) : null, "aria-selected": String(this.chosen === row.id),
      title: `${node.name}\n${node.type} · ${shownPhase(node)}\n${remark}`, onclick: () => this.choose(row.id),
    }, name, cell("note", remark), cell("begun", from ? new Date(from).toLocaleTimeString() : ""), cell("time", tookOf(node)));
    element.style.top = `${index * ROW}px`;
    name.style.paddingLeft = `${(row.level - 1) * 1.1}em`;
    return element;
  }

  fold(row, open) {
    if (!row.folder) return;
    this.folds.set(row.id, open);
    this.layout();
  }

  key(event) {
    if (event.target !== this.view) return;
    const at = this.shown.findIndex((row) => row.id === this.chosen);
    const row = this.shown[at];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.shown.length - 1, PageDown: at + 20, PageUp: at - 20 }[event.key];
    if (to !== undefined) {
      const next = Math.min(Math.max(to, 0), this.shown.length - 1);
      if (!this.shown[next]) return;
      this.reached(this.shown[next].id);
      const top = next * ROW, room = this.view.clientHeight - ROW; // its head stays above them
      if (top < this.view.scrollTop) this.view.scrollTop = top;
      else if (top + ROW > this.view.scrollTop + room) this.view.scrollTop = top + ROW - room;
      this.paint();
      this.view.setAttribute("aria-activedescendant", `row-${next}`);
    } else if (row && event.key === "ArrowRight") this.fold(row, true);
    else if (row && event.key === "ArrowLeft") this.fold(row, false);
    else return;
    event.preventDefault();
  }
}
