// The runs of a namespace, or of all, youngest first or as the reader sorts them; read again every few seconds while the page is in sight.

const RUN_LABEL = "hera-utils/run";
const LIST_FIELDS = ["metadata", ...["metadata.name", "metadata.namespace", "metadata.labels", "metadata.creationTimestamp", "status.phase", "status.progress", "status.message", "status.startedAt", "status.finishedAt"].map((field) => `items.${field}`)].join(",");

const LIST_LIMIT = 500;
const MOST_LOOKED_AT = 20, MOST_TASKS_LOOKED_AT = 1000, MOST_OF_A_MESSAGE = 200; // as for hera-utils ls

/** What the server is asked to select of more runs than a page shows: a phase by its label, any other words by the first of them, in names. */
const selected = (words) => {
  const phase = words.find((word) => word in PHASE_OF_WORD), name = words.find((word) => word !== phase);
  return {
    ...(phase ? { "listOptions.labelSelector": `workflows.argoproj.io/phase=${PHASE_OF_WORD[phase]}` } : {}),
    ...(name ? { "listOptions.fieldSelector": `metadata.name=${name}`, nameFilter: "Contains" } : {}),
  };
};
const PHASE_OF_WORD = Object.fromEntries(["Running", "Succeeded", "Failed", "Error"].map((phase) => [phase.toLowerCase(), phase]));

/** The run of an experiment that a workflow is a part of, where it has another name. */
const wholeOf = ({ name, labels }) => { const whole = (labels || {})[RUN_LABEL]; return whole && whole !== name ? whole : ""; };

/** Why runs failed where Argo's message leaves it to their tasks: asked once for each, by run and end. A few at a time, none of very many tasks. */
class Reasons {
  constructor() { this.known = new Map(); }

  of({ metadata, status }) { return this.known.get(this.key({ metadata, status })) || status.message || ""; }

  key({ metadata, status }) { return [metadata.namespace, metadata.name, status.finishedAt].join("/"); }

  /** Asks for those of some runs; whether any became known. */
  async look(items) {
    const saysLittle = ({ message }) => !message || /exit code \d+\)?$|^child '/.test(message), tasks = ({ progress }) => Number((progress || "").split("/")[1] || 0);
    const unknown = items.filter((one) => UNSUCCESSFUL.includes(one.status.phase) && saysLittle(one.status) && tasks(one.status) <= MOST_TASKS_LOOKED_AT && !this.known.has(this.key(one)));
    for (const one of unknown.slice(0, MOST_LOOKED_AT)) {
      const whole = await api.get(`/api/v1/workflows/${segment(one.metadata.namespace)}/${segment(one.metadata.name)}?${new URLSearchParams({ fields: "metadata.name,status.nodes" })}`);
      const [first] = failuresOf((whole.status || {}).nodes || {});
      this.known.set(this.key(one), !first ? "" : one.status.message && !one.status.message.startsWith("child '") ? first.text : `${first.node.displayName || first.node.name}: ${first.text}`);
    }
    return unknown.length > 0;
  }
}

/** By what the list is sorted. */
const listValue = ({ metadata, status }, column) => {
  if (column === "name" || column === "namespace") return metadata[column];
  if (column === "status") return PHASE_ORDER.indexOf(status.phase || "Pending");
  return column === "start" ? status.startedAt || metadata.creationTimestamp : seconds(status.startedAt, status.finishedAt);
};

const listRow = (namespace, reasons) => ({ metadata, status }) => {
  const whole = wholeOf(metadata), reason = reasons.of({ metadata, status }).slice(0, MOST_OF_A_MESSAGE);
  return make("tr", {},
    make("td.name", {}, make("a", { href: `/workflows/${segment(metadata.namespace)}/${segment(metadata.name)}` }, metadata.name), whole ? make("span.note", {}, ` of ${whole}`) : ""),
    ...(namespace ? [] : [make("td", {}, make("a", { href: `/workflows/${segment(metadata.namespace)}` }, metadata.namespace))]),
    make("td", {}, phaseMark(status.phase)), make("td", {}, status.progress || ""), make("td", {}, duration(status.startedAt, status.finishedAt)),
    make("td", {}, moment(status.startedAt || metadata.creationTimestamp)), make("td.note", {}, make("div.few-lines", { title: reason }, reason)));
};

const listPage = async (namespace) => {
  const body = make("tbody");
  const note = make("p.note"), reasons = new Reasons();
  const places = [""]; // where each page begins that was opened, the present one last
  let following = "", look = () => {};
  const younger = make("button", { type: "button", hidden: true, onclick: () => { places.pop(); look(); } }, "Younger");
  const older = make("button", { type: "button", hidden: true, onclick: () => { places.push(following); look(); } }, "Older");
  const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);
  let words = wordsOf(address.get("filter")), items = [], more = false; // more: there are runs that no single page shows, so the server selects
  const filter = (event) => {
    words = wordsOf(event.target.value);
    address.set({ filter: words.join(" ") });
    draw();
    if (more) { places.length = 1; look(); }
  };
  const search = make("input", { type: "search", value: words.join(" "), placeholder: "Filter: words of a name, a phase, a message…", "aria-label": "Filter", size: 44, oninput: filter });
  const order = new SortOrder({ name: "Name", namespace: "Namespace", status: "Status", duration: "Duration", start: "Started" }, () => draw());
  const plain = (title) => make("th", { scope: "col" }, title), head = (name) => order.head(make("th", { scope: "col" }), name);
  const heads = [head("name"), ...(namespace ? [] : [head("namespace")]), head("status"), plain("Pods ok"), head("duration"), head("start"), plain("Message")];
  show(make("h1", {}, namespace ? `Workflows of ${namespace}` : "Workflows"), make("div.row", {}, search, younger, older, note),
    make("div.wide", {}, make("table.list", {}, make("thead", {}, make("tr", {}, ...heads)), body)));
  const told = ({ metadata, status }) => [metadata.name, metadata.namespace, wholeOf(metadata), status.phase, reasons.of({ metadata, status })].join(" ").toLowerCase();
  const draw = () => redraw(body, ...order.sorted(items.filter((one) => words.every((word) => told(one).includes(word))), listValue).map(listRow(namespace, reasons)));
  for (;;) {
    if (!document.hidden) {
      try {
        const place = places.at(-1), asked = more ? words : [];
        const query = new URLSearchParams({ fields: LIST_FIELDS, "listOptions.limit": LIST_LIMIT, "listOptions.continue": place, ...selected(asked) });
        const { items: found, metadata } = await api.get(`/api/v1/workflows/${segment(namespace)}?${query}`);
        if (!asked.length) more = Boolean(place || metadata.continue);
        if (more && asked !== words && words.length) continue; // typed meanwhile, or before it was known that there are more
        items = found || [];
        following = metadata.continue || "";
        younger.hidden = !place;
        older.hidden = !following;
        draw();
        const first = Number(place || 0);
        note.textContent = place || following ? `${first + 1} to ${first + items.length}, youngest first`
          : asked.length ? "of all runs, by name and phase"
          : found ? "" : "No workflows yet: submit one with hera-utils run SCRIPT, or with Hera.";
        say("live");
        if (await reasons.look(items)) draw();
      } catch (error) {
        if (error.status === 401) return askForToken();
        say(error.status ? error.message : "the local platform does not answer, trying again…");
      }
    }
    await new Promise((resolve) => { look = resolve; setTimeout(resolve, 2000); });
  }
};
