// One run: its header, the views of its tasks, and the node that is looked at.

const DONE = ["Succeeded", "Failed", "Error"];
const UNSUCCESSFUL = ["Failed", "Error"];

class RunPage {
  constructor(namespace, name) {
    this.namespace = namespace;
    this.name = name;
    this.run = null;
    this.nodes = {};
    this.chosen = address.get("nodeId");
    const choose = (id) => this.look(id);
    this.outline = new Outline({ choose: (id) => this.look(this.chosen === id ? "" : id), reached: choose, reason: (node) => reasonOf(node, this.nodes) });
    this.timeline = new TimelineView(name, choose);
    this.graph = new GraphView(name, choose);
    this.results = new ResultsView(name, choose);
    this.details = new Details(namespace, name);
    this.sweep = new SweepView();
    this.whole = new WholeRun(this);
    this.head = make("section.run", { "aria-label": "Run" });
    const { outline, timeline, graph, results } = this;
    this.tabs = new Tabs({ workflow: ["Tasks", outline.element], timeline: ["Timeline", timeline.element], graph: ["Graph", graph.element], results: ["Results", results.element] }, () => this.draw());
    const views = make("section", { "aria-label": "Tasks" }, this.tabs.element, outline.element, timeline.element, graph.element, results.element);
    show(this.whole.element, this.head, make("div.split", {}, views, this.details.element), this.sweep.element);
    setInterval(() => { if (this.run && !DONE.includes(this.run.status.phase)) { this.showTimes(); this.draw(); } }, 1000);
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
    this.header();
    this.outline.update(this.nodes, this.chosen);
    this.drawOthers();
    this.sweep.update(this.nodes);
    this.whole.look();
  }

  /** What is in sight is drawn again. */
  draw() {
    if (!this.run) return;
    this.outline.chosen = this.chosen;
    this.outline.paint();
    this.drawOthers();
  }

  drawOthers() {
    const node = Object.hasOwn(this.nodes, this.chosen) ? this.nodes[this.chosen] : undefined; // the address may name anything
    for (const view of [this.timeline, this.graph, this.results]) view.update(this.run, this.nodes, this.chosen);
    this.details.update(this.run, this.nodes, node, node ? reasonOf(node, this.nodes) : "");
  }

  /** Look at a node, at the whole run with "". */
  look(id) {
    this.chosen = id;
    address.set({ nodeId: id });
    this.draw();
  }

  header() {
    const { metadata, spec, status } = this.run;
    const [done, all] = (status.progress || "0/0").split("/").map(Number);
    this.times = make("span.note");
    const facts = make("div.row", {},
      phaseMark(status.phase || "Pending"),
      // attempts that failed and were repeated keep Argo's count from being full
      make("progress", { max: all || 1, value: status.phase === "Succeeded" ? all || 1 : done, "aria-label": "Progress" }), make("span", {}, status.progress ? `${status.progress} pods ok` : ""), this.times);
    const more = [...parametersOf(spec.arguments).map(([n, v]) => [`parameter ${n}`, v]), ...parametersOf(status.outputs).map(([n, v]) => [`output ${n}`, v])];
    const failures = failureList(this.nodes, (id) => this.look(id), () => { this.tabs.open("workflow"); this.outline.only("Failed"); });
    const told = status.message && !(failures && failures.textContent.includes(status.message)); // a run of one task says what the task says
    redraw(this.head,
      make("div.row", {}, make("h1.grow", {}, metadata.name), ...this.buttons()),
      facts,
      ...(told ? [make(`p.${UNSUCCESSFUL.includes(status.phase) ? "wrong" : "note"}`, {}, status.message)] : []),
      ...(failures ? [failures] : []),
      ...(DONE.includes(status.phase) ? [commandLines(this.run)] : []),
      ...(more.length ? [pairs(more)] : []));
    this.showTimes();
    document.title = `${pictures.markOf(status.phase)} ${metadata.name}`;
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
}
