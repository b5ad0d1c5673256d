// When a node ran. The server notes of each pod when its containers ran, to the microsecond; Argo's own times are whole seconds, and waiting counts in
// them. What has no such note (a group, a suspension, a pod that never ran) has Argo's.

const RAN = "hera-utils/ran";

/** {from, to} as texts, "" where it has not started or has not ended. */
const ranAt = (node) => {
  const ran = node[RAN];
  if (ran && ran.startedAt) return { from: ran.startedAt, to: ran.finishedAt || node.finishedAt || "" };
  if ((node.phase || "Pending") === "Pending") return { from: "", to: "" };
  return { from: node.startedAt || "", to: node.finishedAt || "" };
};

const tookOf = (node) => {
  const { from, to } = ranAt(node);
  return duration(from, to);
};

const secondsOf = (node) => {
  const { from, to } = ranAt(node);
  return seconds(from, to);
};

/** A view that is drawn only while it is in sight, and no more often than once in twenty times what drawing takes: of 10,000 tasks not each second. */
class Sketch {
  /** draw(run, nodes, chosen) */
  constructor(element, draw) {
    this.element = element;
    this.draw = draw;
    this.due = 0;
  }

  /** What the reader chose is shown at once. */
  update(run, nodes, chosen) {
    if (this.element.hidden) return;
    clearTimeout(this.later);
    const wait = this.due - performance.now();
    if (wait > 0 && chosen === this.chosen) { this.later = setTimeout(() => this.update(run, nodes, chosen), wait); return; }
    const began = performance.now();
    this.chosen = chosen;
    this.draw(run, nodes, chosen);
    this.due = performance.now() + 20 * (performance.now() - began);
  }
}
