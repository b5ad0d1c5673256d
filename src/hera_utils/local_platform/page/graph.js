// The graph of a run as a person would draw it: a fan-out is one box, a nested template's tasks are named after it. As report/graph.py has it.

const MOST_BOXES = 200; // beyond, a box stands for a template
const MOST_ALIKE = 8; // boxes of one template, after and before the same others: more are one
const INSIDE = "\u0001"; // begins a place that is no box: what is only structure

/** The path of task names of each node, without items and attempts: what one box stands for. */
const namePaths = (run, nodes) => {
  const paths = new Map();
  const word = (node, around) => {
    let rest = around && node.name.startsWith(around) ? node.name.slice(around.length) : node.name;
    if (rest.startsWith("[") && node.type !== "StepGroup") rest = rest.slice(rest.indexOf("]") + 1);
    return rest.replace(/^\.+/, "").split("(")[0];
  };
  return (id) => {
    const chain = [];
    for (let at = id; nodes[at] && !paths.has(at); at = nodes[at].boundaryID || "") { chain.push(at); paths.set(at, ""); } // a circle ends
    for (const at of chain.reverse()) {
      const node = nodes[at], above = nodes[node.boundaryID || ""];
      if (above && above !== node) paths.set(at, [paths.get(above.id), word(node, above.name)].filter(Boolean).join("."));
      else paths.set(at, node.name === run.metadata.name ? "" : node.name.replace(`${run.metadata.name}.`, "").split("(")[0]);
    }
    return paths.get(id);
  };
};

/** {boxes, edges, ids}: boxes and edges for the picture (pictures/graph.js), and of each box the node to look at. Linear in nodes and edges. */
const graphOf = (run, nodes, chosen) => {
  const tasks = tasksOf(nodes), path = namePaths(run, nodes), template = (node) => node.templateName || (node.templateRef || {}).template || "";
  const byTemplate = new Set(tasks.map((node) => path(node.id))).size > MOST_BOXES;
  const renamed = byTemplate ? new Map(tasks.map((node) => [path(node.id), template(node)])) : null;
  const named = (id) => (renamed && renamed.get(path(id))) ?? path(id);
  const numbers = new Map(), boxes = [], members = [];
  for (const node of tasks) {
    const key = named(node.id);
    if (!numbers.has(key)) { numbers.set(key, boxes.length); boxes.push({ title: key || template(node) || "run", template: template(node), counts: {}, seconds: 0 }); members.push([]); }
    const box = boxes[numbers.get(key)], phase = shownPhase(node);
    box.counts[phase] = (box.counts[phase] || 0) + 1;
    box.seconds += secondsOf(lastAttempt(node, nodes)) || 0;
    members[numbers.get(key)].push(node);
  }
  const place = (node) => {
    if (node.type === "StepGroup") return INSIDE + node.id;
    if (["DAG", "Steps", "Container"].includes(node.type)) return INSIDE + path(node.id);
    return named(node.id); // a fan-out's group is in the box of its items
  };
  const edges = edgesBetween(numbers, nodes, place);
  const joined = alike(boxes, edges).sort(([a], [b]) => collator.compare(boxes[a].title, boxes[b].title)); // side by side in the order of their names
  const kept = joined.map((group) => {
    const all = group.map((n) => boxes[n]), [first] = all, counts = {};
    for (const box of all) for (const [phase, count] of Object.entries(box.counts)) counts[phase] = (counts[phase] || 0) + count;
    const own = group.flatMap((n) => members[n]);
    return {
      box: { ...first, title: all.length > 1 ? first.template || first.title : first.title, counts, seconds: all.reduce((sum, box) => sum + box.seconds, 0), chosen: own.some((node) => node.id === chosen) },
      id: (own.find((node) => UNSUCCESSFUL.includes(node.phase)) || own[0]).id, // what failed is looked for first
    };
  });
  const now = [];
  joined.forEach((group, n) => { for (const one of group) now[one] = n; });
  return { boxes: kept.map((one) => one.box), ids: kept.map((one) => one.id), edges: distinct(edges.map(([one, other]) => [now[one], now[other]])) };
};

const distinct = (edges) => [...new Map(edges.map((edge) => [edge.join(), edge])).values()];

/** Which box follows which; what is only structure is passed through. */
const edgesBetween = (numbers, nodes, place) => {
  const after = new Map();
  for (const node of Object.values(nodes)) {
    const here = place(node);
    for (const id of node.children || []) {
      const there = nodes[id] ? place(nodes[id]) : here;
      if (there === here) continue;
      if (after.has(here)) after.get(here).add(there); else after.set(here, new Set([there]));
    }
  }
  const edges = [];
  for (const [box, number] of numbers) {
    const seen = new Set([box]), waiting = [...(after.get(box) || [])];
    while (waiting.length) {
      const there = waiting.pop();
      if (seen.has(there)) continue;
      seen.add(there);
      if (numbers.has(there)) edges.push([number, numbers.get(there)]); else waiting.push(...(after.get(there) || []));
    }
  }
  return edges;
};

/** Groups of boxes: those that only their names tell apart (of a loop in the user's own Python) are one group where they are many. */
const alike = (boxes, edges) => {
  const around = boxes.map(() => [[], []]), groups = new Map();
  for (const [one, other] of edges) { around[one][1].push(other); around[other][0].push(one); }
  boxes.forEach((box, n) => {
    const key = JSON.stringify([box.template, ...around[n].map((list) => list.sort((a, b) => a - b))]);
    if (groups.has(key)) groups.get(key).push(n); else groups.set(key, [n]);
  });
  return [...groups.values()].flatMap((group) => (group.length > MOST_ALIKE ? [group] : group.map((n) => [n])));
};

class GraphView {
  /** choose(id): a task is to be looked at. */
  constructor(name, choose) {
    this.picture = pictures.graphPicture(`Graph of ${name}`, (n) => choose(this.ids[n]));
    this.note = make("p.note");
    this.element = make("div.view", { hidden: true }, this.picture.element, this.note);
    this.sketch = new Sketch(this.element, (...state) => this.draw(...state));
  }

  update(...state) { this.sketch.update(...state); }

  draw(run, nodes, chosen) {
    const { boxes, edges, ids } = graphOf(run, nodes, chosen);
    this.ids = ids;
    this.picture.element.hidden = !boxes.length;
    this.note.textContent = !boxes.length ? "No task has been reached."
      : `A box stands for a task, for all items of a loop, or for many tasks that are alike.${DONE.includes(run.status.phase) ? "" : " Tasks that are not reached yet are not in it."}`;
    if (boxes.length) this.picture.update(boxes, edges);
  }
}
