// Nodes of a run → rows of a tree. Argo keeps nodes flat; what belongs together is told by boundaryID (the template a node is part of)
// and by the groups TaskGroup, Retry and StepGroup, whose members' names begin with the group's.

const GROUPS = { TaskGroup: "(", Retry: "(", StepGroup: "." };

/** The children of each node and the list of roots, in the order of start. before: the tree of the state before; its order is nearly
 * the new one, and what is nearly sorted costs little to sort. */
const growTree = (nodes, before) => {
  const parent = new Map();
  for (const node of Object.values(nodes)) {
    const mark = GROUPS[node.type];
    if (!mark) continue;
    for (const id of node.children || []) {
      if (nodes[id] && nodes[id].name.startsWith(node.name + mark)) parent.set(id, node.id);
    }
  }
  const children = new Map();
  const roots = [];
  const known = before ? before.ids.filter((id) => nodes[id]) : [];
  for (const id of new Set([...known, ...Object.keys(nodes)])) {
    const node = nodes[id];
    const above = parent.get(node.id) || node.boundaryID;
    if (above && above !== node.id && nodes[above]) {
      if (!children.has(above)) children.set(above, []);
      children.get(above).push(node.id);
    } else roots.push(node.id);
  }
  const order = (a, b) => {
    const [first, second] = [nodes[a].startedAt || "~", nodes[b].startedAt || "~"];
    return first < second ? -1 : first > second ? 1 : collator.compare(nodes[a].name, nodes[b].name);
  };
  for (const list of children.values()) list.sort(order);
  roots.sort(order);
  return { roots, children, ids: [...roots, ...[...children.values()].flat()] };
};

const OUTLINES = ["DAG", "Steps", "StepGroup", "TaskGroup", "Retry"]; // their tasks are counted, not they

/** The Retry node of each attempt, by the attempt's id. (Its children are also what comes after it.) */
const attemptsIn = (nodes) => {
  const found = new Map();
  for (const node of Object.values(nodes)) {
    if (node.type !== "Retry") continue;
    for (const id of node.children || []) if (nodes[id] && nodes[id].name.startsWith(`${node.name}(`)) found.set(id, node);
  }
  return found;
};

/** What does something itself; of what is retried the whole, not its attempts. Of a nested template that is retried the tasks of its last attempt count. */
const tasksOf = (nodes) => {
  const attempts = attemptsIn(nodes), nested = new Set(), before = new Set();
  for (const [id, retry] of attempts) {
    if (!OUTLINES.includes(nodes[id].type)) continue;
    nested.add(retry.id);
    if (lastAttempt(retry, nodes) !== nodes[id]) before.add(id);
  }
  const isBefore = (node) => {
    const seen = new Set();
    for (let at = nodes[node.boundaryID]; at && !seen.has(at); at = nodes[at.boundaryID]) { if (before.has(at.id)) return true; seen.add(at); }
    return false;
  };
  const counts = (node) => (node.type === "Retry" ? !nested.has(node.id) : !OUTLINES.includes(node.type) && node.type !== "Container" && !attempts.has(node.id));
  return Object.values(nodes).filter((node) => counts(node) && !(before.size && isBefore(node)));
};

const lastAttempt = (node, nodes) => {
  if (node.type !== "Retry") return node;
  const own = (node.children || []).map((id) => nodes[id]).filter((one) => one && one.name.startsWith(`${node.name}(`));
  return own.at(-1) || node;
};

/** The phase that a reader wants to see: a suspended node is Running to Argo. */
const shownPhase = (node) => (node.type === "Suspend" && node.phase === "Running" ? "Suspended" : node.daemoned && node.phase === "Running" ? "Daemoned" : node.phase || "Pending");

/** Rows to show: open folders from the top; with a filter, whatever fits it, flat. open(id, size): whether a folder is; tasks: the ids of those
 * that are counted; sorted(ids): in the order that the reader chose. */
const rowsOf = (nodes, tree, { open, filter, tasks, sorted }) => {
  if (filter.text || filter.phase) {
    const fits = (node) => (!filter.phase || (tasks.has(node.id) && shownPhase(node) === filter.phase)) && (!filter.text || node.name.toLowerCase().includes(filter.text));
    return sorted(tree.ids.filter((id) => fits(nodes[id]))).map((id) => ({ id, level: 1, folder: false }));
  }
  const rows = [];
  const walk = (ids, level) => {
    for (const id of sorted(ids)) {
      const below = tree.children.get(id);
      rows.push({ id, level, folder: Boolean(below) });
      if (below && open(id, below.length)) walk(below, level + 1);
    }
  };
  walk(tree.roots, 1);
  return rows;
};

/** The name of a node's pod (Argo's v2 pod names). */
const podName = (run, node) => {
  if (node.name === run.metadata.name) return run.metadata.name;
  if ((run.metadata.annotations || {})["workflows.argoproj.io/pod-name-format"] === "v1") return node.id;
  const template = node.templateName || (node.templateRef || {}).template || "";
  const hash = node.id.slice(node.id.lastIndexOf("-") + 1);
  return `${`${run.metadata.name}-${template}`.slice(0, 253 - hash.length - 1)}-${hash}`;
};
