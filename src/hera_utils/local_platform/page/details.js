// The node that is looked at: its facts, its files, its log; of none, the log of the whole run.

class Details {
  constructor(namespace, name) {
    this.namespace = namespace;
    this.name = name;
    this.element = make("section.panel", { "aria-label": "Details" });
    this.log = null;
    this.of = null; // nothing is shown yet, not even that nothing is chosen
  }

  /** reason: why it failed, "" where that is not known. */
  update(run, nodes, node, reason) {
    this.run = run;
    this.nodes = nodes;
    if (this.of !== (node && node.id)) this.begin(node);
    const signature = JSON.stringify([node, reason]);
    if (!node || signature === this.signature) return;
    this.signature = signature;
    this.facts.replaceChildren(this.describe(node, reason));
  }

  begin(node) {
    this.of = node && node.id;
    if (this.log) this.log.stop();
    this.log = null;
    this.facts = make("div.facts");
    this.element.replaceChildren(make("h2", {}, node ? node.displayName || node.name : "Log of the run"), this.facts);
    this.signature = "";
    if (!node || node.type === "Pod" || node.type === "Container") this.logs(node);
  }

  describe(node, reason) {
    const outputs = node.outputs || {}, { from, to } = ranAt(node), waited = (node[RAN] || {}).startDelay;
    const link = (kind) => (one) => download(`/${kind}/${segment(this.namespace)}/${segment(this.name)}/${segment(node.id)}/${segment(one.name)}`, one.name);
    const links = (found, kind) => (found.length ? make("span.links", {}, ...found.map(link(kind))) : "");
    return pairs([
      ["phase", phaseMark(shownPhase(node))], ["message", node.message], ["error", reason], ["name", node.name], ["type", node.type],
      ["template", node.templateName || (node.templateRef && `${node.templateRef.name}/${node.templateRef.template}`)],
      ["time", tookOf(node)], ["waited", waited ? pictures.lasting(waited) : ""], ["started", moment(from)], ["finished", moment(to)],
      ["progress", node.progress], ["exit code", outputs.exitCode], ["result", outputs.result],
      ...parametersOf(node.inputs).map(([name, value]) => [`input ${name}`, value]), ...parametersOf(outputs).map(([name, value]) => [`output ${name}`, value]),
      ["input artifacts", links((node.inputs || {}).artifacts || [], "input-artifacts")],
      ["artifacts", links((outputs.artifacts || []).filter((one) => one.name !== "main-logs"), "artifacts")],
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
      this.element.querySelector("pre")?.remove();
      this.element.append(this.log.view);
    };
    const first = node && node.type === "Container" ? node.displayName : names[0];
    if (names.length > 1) {
      const choice = make("select", { "aria-label": "Container", onchange: (event) => open(event.target.value) }, ...names.map((name) => make("option", { value: name, selected: name === first }, name)));
      this.element.append(make("label.row", {}, "Log of ", choice));
    }
    open(first);
  }
}
