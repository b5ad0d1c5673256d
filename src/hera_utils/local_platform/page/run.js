// One run: its header, its tree of nodes (only the rows in sight exist), and the node that is looked at.

const ROW = 26;
const DONE = ["Succeeded", "Failed", "Error"];
const UNSUCCESSFUL = ["Failed", "Error"];

class RunPage {
  constructor(namespace, name) {
    this.namespace = namespace;
    this.name = name;
    this.run = null;
    this.nodes = {};
    this.tree = { roots: [], children: new Map(), ids: [] };
    this.folds = new Map(); // what the reader opened or closed by hand
    this.filter = { text: "", phase: "" };
    this.chosen = null;
    this.log = null;
    this.sweep = new SweepView();
    this.timeline = new TimelineView(name, (id) => this.choose(id, true));
    this.graph = new GraphView(name, (id) => this.choose(id, true));
    this.whole = new WholeRun(this);
    this.build();
  }

  build() {
    this.head = make("section", { "aria-label": "Run" });
    this.rows = make("div.rows", { role: "presentation" });
    this.view = make("div.tree", { role: "tree", tabindex: "0", "aria-label": "Nodes", onscroll: () => this.paint(), onkeydown: (event) => this.key(event) }, this.rows);
    this.panel = make("section.panel", { "aria-label": "Details" });
    const search = make("input", { type: "search", placeholder: "Find a node…", "aria-label": "Find a node", oninput: (event) => { this.filter.text = event.target.value.toLowerCase(); this.layout(); } });
    this.chips = make("span.row");
    const tools = make("div.row", {}, search, this.chips);
    this.outline = make("div.view", {}, tools, make("p.note", {}), this.view);
    this.tabs = new Tabs({ workflow: ["Tasks", this.outline], timeline: ["Timeline", this.timeline.element], graph: ["Graph", this.graph.element] }, () => this.drawn());
    show(this.whole.element, this.head, make("div.split", {}, make("section", { "aria-label": "Tasks" }, this.tabs.element, this.outline, this.timeline.element, this.graph.element), this.panel), this.sweep.element);
    new ResizeObserver(() => this.paint()).observe(this.view);
    setInterval(() => { if (this.run && !DONE.includes(this.run.status.phase)) { this.showTimes(); this.drawn(); } }, 1000);
  }

  /** What is in sight is drawn again. */
  drawn() {
    if (!this.run) return;
    this.paint();
    this.timeline.update(this.run, this.nodes, this.chosen);
    this.graph.update(this.run, this.nodes, this.chosen);
  }

  /** Follow the run for as long as the page is open. */
  async follow() {
    let pause = 500;
    for (;;) {
      try {
        const query = new URLSearchParams({ "listOptions.fieldSelector": `metadata.name=${this.name}`, "listOptions.resourceVersion": "0" });
        await api.stream(`/api/v1/workflow-events/${segment(this.namespace)}?${query}`, null, (events) => {
          say("live");
          pause = 500;
          const last = events[events.length - 1];
          if (last.error) return;
          if (last.result.type === "DELETED") say("this run was deleted");
          else this.update(last.result.object);
        });
        say("connection lost, trying again…");
      } catch (error) {
        if (error.status === 401) return askForToken();
        if (error.status === 404) return this.missing(error);
        say("the local platform does not answer, trying again…");
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 10000);
    }
  }

  missing(error) {
    if (this.run) say("this run was deleted");
    else show(make("h1", {}, "Not found"), make("p.wrong", {}, error.message), make("p", {}, make("a", { href: `/workflows/${segment(this.namespace)}` }, `Workflows of ${this.namespace}`)));
  }

  update(run) {
    this.run = run;
    run.status ||= {};
    this.nodes = run.status.nodes || {};
    this.tree = growTree(this.nodes, this.tree);
    if (!this.chosen || !this.nodes[this.chosen]) this.chosen = null;
    this.header();
    this.layout();
    this.details();
    this.drawn();
    this.sweep.update(this.nodes);
    this.whole.look();
  }

  // --- header

  header() {
    const { metadata, spec, status } = this.run;
    const [done, all] = (status.progress || "0/0").split("/").map(Number);
    this.times = make("span.note");
    const facts = make("div.row", {},
      phaseMark(status.phase || "Pending"),
      make("progress", { max: all || 1, value: done, "aria-label": "Progress" }), make("span", {}, status.progress || ""), this.times);
    const more = [...parametersOf(spec.arguments).map(([n, v]) => [`parameter ${n}`, v]), ...parametersOf(status.outputs).map(([n, v]) => [`output ${n}`, v])];
    this.head.replaceChildren(
      make("div.row", {}, make("h1.grow", {}, metadata.name), ...this.buttons()),
      facts,
      ...(status.message ? [make(`p.${UNSUCCESSFUL.includes(status.phase) ? "wrong" : "note"}`, {}, status.message)] : []),
      ...(more.length ? [pairs(more)] : []));
    this.showTimes();
    document.title = `${pictures.markOf(status.phase)} ${metadata.name}`;
    const counts = {};
    for (const node of tasksOf(this.nodes)) counts[shownPhase(node)] = (counts[shownPhase(node)] || 0) + 1;
    this.chips.replaceChildren(...Object.entries(counts).map(([phase, count]) => make("button", {
      "aria-pressed": String(this.filter.phase === phase), onclick: () => { this.filter.phase = this.filter.phase === phase ? "" : phase; this.header(); this.layout(); },
    }, phaseMark(phase), ` ${count}`)));
  }

  showTimes() {
    const { startedAt, finishedAt } = this.run.status;
    this.times.textContent = startedAt ? `${duration(startedAt, finishedAt)} · started ${moment(startedAt)}` : "";
  }

  buttons() {
    const { spec, status } = this.run;
    const over = DONE.includes(status.phase);
    const waits = spec.suspend || Object.values(this.nodes).some((node) => shownPhase(node) === "Suspended");
    const button = (verb, word, possible, question) => make("button", { disabled: !possible, onclick: () => this.act(verb, question) }, word);
    return [
      button("resume", "Resume", !over && waits), button("suspend", "Suspend", !over && !spec.suspend),
      button("stop", "Stop", !over, "Stop this run? Exit handlers still run."), button("terminate", "Terminate", !over, "Terminate this run at once?"),
      button("retry", "Retry", UNSUCCESSFUL.includes(status.phase)), button("resubmit", "Run again", over),
    ];
  }

  async act(verb, question) {
    if (question && !confirm(question)) return;
    try {
      const answer = await api.put(`${runPath(this.namespace, this.name)}/${verb}`, { name: this.name, namespace: this.namespace });
      if (verb === "resubmit") location.href = `/workflows/${segment(this.namespace)}/${segment(answer.metadata.name)}`;
    } catch (error) {
      say(error.message);
    }
  }

  // --- tree

  isOpen(id, size) {
    if (this.folds.has(id)) return this.folds.get(id);
    const node = this.nodes[id];
    // A retried task that succeeded and a very large fan-out say enough by themselves. Rows out of sight cost nothing.
    return (size <= 1000 || this.tree.roots.includes(id)) && !(node.type === "Retry" && node.phase === "Succeeded");
  }

  layout() {
    this.shown = rowsOf(this.nodes, this.tree, (id, size) => this.isOpen(id, size), this.filter);
    this.rows.style.height = `${this.shown.length * ROW}px`;
    this.view.previousSibling.textContent = this.shown.length === Object.keys(this.nodes).length ? `${this.shown.length} nodes` : `${this.shown.length} of ${Object.keys(this.nodes).length} nodes`;
    this.paint();
  }

  paint() {
    if (!this.shown) return;
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW) - 8);
    const rows = this.shown.slice(first, first + Math.ceil((this.view.clientHeight || 600) / ROW) + 16);
    this.rows.replaceChildren(...rows.map((row, at) => this.item(row, first + at)));
  }

  item(row, index) {
    const node = this.nodes[row.id];
    const below = this.tree.children.get(row.id);
    const open = row.folder && this.isOpen(row.id, below.length);
    const counted = below && !open ? `${below.length} below` : "";
    const remark = [node.message, counted, node.templateName || (node.templateRef || {}).template].filter(Boolean).join(" · ");
    const element = make("div.item", {
      role: "treeitem", id: `row-${index}`, "aria-level": row.level, "aria-expanded": row.folder ? String(open) : null, "aria-selected": String(this.chosen === row.id),
      title: `${node.name}\n${node.type} · ${shownPhase(node)}`, onclick: () => this.choose(row.id),
    },
      make("span.fold", { "aria-hidden": "true", onclick: (event) => { event.stopPropagation(); this.fold(row, !open); } }, row.folder ? (open ? "▾" : "▸") : ""),
      phaseMark(shownPhase(node), false), make("span.name", {}, node.displayName || node.name),
      make("span.note", {}, remark), make("span.time", {}, tookOf(node)));
    element.style.top = `${index * ROW}px`;
    element.style.paddingLeft = `${(row.level - 1) * 1.1 + 0.3}em`;
    return element;
  }

  fold(row, open) {
    if (!row.folder) return;
    this.folds.set(row.id, open);
    this.layout();
  }

  choose(id, always = false) {
    this.chosen = this.chosen === id && !always ? null : id;
    this.drawn();
    this.details(true);
  }

  key(event) {
    const at = this.shown.findIndex((row) => row.id === this.chosen);
    const row = this.shown[at];
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.shown.length - 1, PageDown: at + 20, PageUp: at - 20 }[event.key];
    if (to !== undefined) {
      const next = Math.min(Math.max(to, 0), this.shown.length - 1);
      if (!this.shown[next]) return;
      this.chosen = this.shown[next].id;
      const top = next * ROW;
      if (top < this.view.scrollTop) this.view.scrollTop = top;
      else if (top + ROW > this.view.scrollTop + this.view.clientHeight) this.view.scrollTop = top + ROW - this.view.clientHeight;
      this.paint();
      this.view.setAttribute("aria-activedescendant", `row-${next}`);
      this.details(true);
    } else if (row && event.key === "ArrowRight") this.fold(row, true);
    else if (row && event.key === "ArrowLeft") this.fold(row, false);
    else return;
    event.preventDefault();
  }

  // --- details

  details(anew = false) {
    const node = this.nodes[this.chosen];
    if (!this.facts || anew || this.detailed !== this.chosen) {
      this.detailed = this.chosen;
      if (this.log) this.log.stop();
      this.log = null;
      this.facts = make("div");
      this.panel.replaceChildren(make("h2", {}, node ? node.displayName || node.name : "Log of the run"), this.facts);
      this.signature = "";
      if (!node || node.type === "Pod" || node.type === "Container") this.logs(node);
    }
    const signature = JSON.stringify(node || null);
    if (node && signature !== this.signature) {
      this.signature = signature;
      this.facts.replaceChildren(this.describe(node));
    }
  }

  describe(node) {
    const outputs = node.outputs || {};
    const artifact = (kind, prefix) => (one) => [kind, download(`/${prefix}/${segment(this.namespace)}/${segment(this.name)}/${segment(node.id)}/${segment(one.name)}`, one.name)];
    return pairs([
      ["phase", phaseMark(shownPhase(node))], ["message", node.message], ["name", node.name], ["type", node.type],
      ["template", node.templateName || (node.templateRef && `${node.templateRef.name}/${node.templateRef.template}`)],
      ["time", tookOf(node)], ["waited", (node[RAN] || {}).startDelay ? pictures.lasting(node[RAN].startDelay) : ""], ["started", moment(ranAt(node).from)], ["finished", moment(ranAt(node).to)],
      ["progress", node.progress], ["exit code", outputs.exitCode], ["result", outputs.result],
      ...parametersOf(node.inputs).map(([name, value]) => [`input ${name}`, value]), ...parametersOf(outputs).map(([name, value]) => [`output ${name}`, value]),
      ...((node.inputs || {}).artifacts || []).map(artifact("input artifact", "input-artifacts")),
      ...(outputs.artifacts || []).filter((one) => one.name !== "main-logs").map(artifact("artifact", "artifacts")),
      ["pod", node.type === "Pod" ? podName(this.run, node) : ""],
    ]);
  }

  /** The task whose pod it is, as the tree calls it; the pods are looked through again for one that is new. */
  taskOf(pod) {
    if (!this.tasks?.has(pod)) this.tasks = new Map(Object.values(this.nodes).filter((node) => node.type === "Pod").map((node) => [podName(this.run, node), node.displayName || node.name]));
    if (!this.tasks.has(pod)) this.tasks.set(pod, pod);
    return this.tasks.get(pod);
  }

  logs(node) {
    const owner = node && node.type === "Container" ? this.nodes[node.boundaryID] || node : node;
    const template = (this.run.spec.templates || []).find((one) => node && one.name === owner.templateName) || {};
    const names = [...(template.containerSet ? template.containerSet.containers.map((one) => one.name) : ["main"]), ...(template.sidecars || []).map((one) => one.name), ...(template.initContainers || []).map((one) => one.name)];
    const follow = node ? !DONE.includes(node.phase) : !DONE.includes(this.run.status.phase);
    const open = (container) => {
      if (this.log) this.log.stop();
      this.log = logView(this.namespace, this.name, node ? podName(this.run, owner) : "", container, follow, (pod) => this.taskOf(pod));
      this.panel.querySelector("pre")?.remove();
      this.panel.append(this.log.view);
    };
    const first = node && node.type === "Container" ? node.displayName : names[0];
    if (names.length > 1) {
      const choice = make("select", { "aria-label": "Container", onchange: (event) => open(event.target.value) }, ...names.map((name) => make("option", { value: name, selected: name === first }, name)));
      this.panel.append(make("label.row", {}, "Log of ", choice));
    }
    open(first);
  }
}
