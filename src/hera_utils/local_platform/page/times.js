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
