// The runs of a namespace, or of all, youngest first; read again every few seconds while the page is in sight.

const LIST_FIELDS = ["metadata", ...["metadata.name", "metadata.namespace", "metadata.creationTimestamp", "status.phase", "status.progress", "status.message", "status.startedAt", "status.finishedAt"].map((field) => `items.${field}`)].join(",");

const listPage = async (namespace) => {
  const body = make("tbody");
  const note = make("p.note");
  const columns = ["Name", ...(namespace ? [] : ["Namespace"]), "Phase", "Progress", "Duration", "Started", "Message"];
  show(make("h1", {}, namespace ? `Workflows of ${namespace}` : "Workflows"), note,
    make("table", {}, make("thead", {}, make("tr", {}, ...columns.map((name) => make("th", { scope: "col" }, name)))), body));
  const row = ({ metadata, status }) => make("tr", {},
    make("td", {}, make("a", { href: `/workflows/${segment(metadata.namespace)}/${segment(metadata.name)}` }, metadata.name)),
    ...(namespace ? [] : [make("td", {}, make("a", { href: `/workflows/${segment(metadata.namespace)}` }, metadata.namespace))]),
    make("td", {}, phaseMark(status.phase)), make("td", {}, status.progress || ""), make("td", {}, duration(status.startedAt, status.finishedAt)),
    make("td", {}, moment(status.startedAt || metadata.creationTimestamp)), make("td.note", {}, status.message || ""));
  for (;;) {
    if (!document.hidden) {
      try {
        const query = new URLSearchParams({ fields: LIST_FIELDS, "listOptions.limit": "500" });
        const { items, metadata } = await api.get(`/api/v1/workflows/${segment(namespace)}?${query}`);
        body.replaceChildren(...(items || []).map(row));
        note.textContent = items ? (metadata.continue ? "the 500 youngest" : "") : "No workflows yet: submit one with hera-utils run SCRIPT, or with Hera.";
        say("live");
      } catch (error) {
        if (error.status === 401) return askForToken();
        say(error.status ? error.message : "the local platform does not answer, trying again…");
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
};
