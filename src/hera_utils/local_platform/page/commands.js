// Lines to type in a terminal, for what this page does not have: a record of the run is on the researcher's machine, which this server does not read.

const copied = (text) => make("button.copy", {
  type: "button", title: "Copy", "aria-label": `Copy: ${text}`,
  onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      say("copied");
    } catch {
      say("this browser does not let the page copy");
    }
  },
}, "Copy");

/** For a run that is over: its report and its table of results. */
const commandLines = (run) => {
  const { name, namespace, labels } = run.metadata, whole = (labels || {})[RUN_LABEL] || name, place = namespace === "default" ? "" : ` --argo_namespace ${namespace}`;
  const line = (title, text) => make("span.command", {}, `${title} `, make("code", {}, text), " ", copied(text));
  return make("p.row.note", {}, line("Report:", `hera-utils report ${whole} --open${place}`), line("Results:", `hera-utils results ${whole}${place}`));
};
