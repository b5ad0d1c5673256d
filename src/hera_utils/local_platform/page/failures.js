// Why a run failed: its failed tasks, equal ones together, each with the line in which its program said why.

const MOST_KINDS = 5;

/** What a program said last, beside Argo's message, where that is only an exit code: the server notes it with the times of the pod. */
const reasonOf = (node, nodes) => {
  const last = lastAttempt(node, nodes);
  return UNSUCCESSFUL.includes(node.phase) ? (last[RAN] || {}).errorLine || "" : "";
};

/** [{node, text, others}]: the first task of each kind of failure, in the order of their ends, and how many failed alike. NUMBERS of
    a message (error_lines.py) do not count. */
const failuresOf = (nodes) => {
  const failed = tasksOf(nodes).filter((node) => UNSUCCESSFUL.includes(node.phase)), kinds = new Map();
  failed.sort((a, b) => ((a.finishedAt || "~") < (b.finishedAt || "~") ? -1 : 1));
  for (const node of failed) {
    const last = lastAttempt(node, nodes), text = [last.message || node.message || node.phase, reasonOf(node, nodes)].filter(Boolean).join(": ");
    const key = JSON.stringify([node.templateName, text.replace(NUMBERS, "#")]);
    if (kinds.has(key)) kinds.get(key).others += 1; else kinds.set(key, { node, text, others: 0 });
  }
  return [...kinds.values()];
};

/** The list of them. choose(id): a task is to be looked at; all(): the failed ones are to be listed. */
const failureList = (nodes, choose, all) => {
  const kinds = failuresOf(nodes);
  if (!kinds.length) return null;
  const told = kinds.slice(0, MOST_KINDS).map(({ node, text, others }) => make("li", {},
    phaseMark(node.phase, false), " ", make("button.link", { type: "button", onclick: () => choose(node.id) }, node.displayName || node.name),
    make("span.wrong", {}, ` ${text}`), others ? make("span.note", {}, ` and ${others} more in the same way`) : ""));
  const left = kinds.slice(MOST_KINDS).reduce((sum, one) => sum + 1 + one.others, 0);
  if (left) told.push(make("li", {}, make("button.link", { type: "button", onclick: all }, `${left} more failed`)));
  return make("ul.failures", { "aria-label": "Failed tasks" }, ...told);
};
