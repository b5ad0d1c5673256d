// The whole run that a workflow is part of: its other workflows (more points, gather), each a link, and how far all of them are.

const MOST_LINKS = 12;

class WholeRun {
  /** page: the page of one workflow of the run. */
  constructor(page) {
    this.page = page;
    this.asking = false;
    this.element = make("nav.whole", { "aria-label": "The whole run", hidden: true });
  }

  /** Ask for the workflows of the run, again every few seconds until all are over: gather comes when the points are done. */
  async look() {
    const { metadata } = this.page.run;
    const run = (metadata.labels || {})[RUN_LABEL];
    if (!run || this.asking) return;
    this.asking = true;
    try {
      const query = new URLSearchParams({ fields: LIST_FIELDS, "listOptions.labelSelector": `${RUN_LABEL}=${run}` });
      const { items } = await api.get(`/api/v1/workflows/${segment(metadata.namespace)}?${query}`);
      this.draw(run, (items || []).reverse());
    } catch { /* the page itself says that nobody answers */ }
    setTimeout(() => {
      this.asking = false;
      if (!document.hidden && !this.over) this.look();
    }, 3000);
  }

  draw(run, workflows) {
    const status = (one) => one.status || {};
    const counts = workflows.map((one) => (status(one).progress || "0/0").split("/").map(Number));
    const [done, all] = [0, 1].map((side) => counts.reduce((sum, count) => sum + (count[side] || 0), 0));
    this.over = workflows.every((one) => DONE.includes(status(one).phase)) && DONE.includes(this.page.run.status.phase);
    this.element.hidden = workflows.length < 2;
    const link = ({ metadata, status: own }) => make("a", {
      href: `/workflows/${segment(metadata.namespace)}/${segment(metadata.name)}`, "aria-current": metadata.name === this.page.name ? "page" : null,
    }, phaseMark((own || {}).phase, false), ` ${metadata.name} ${(own || {}).progress || ""}`);
    const here = workflows.findIndex((one) => one.metadata.name === this.page.name);
    const from = Math.max(0, Math.min(here - MOST_LINKS / 2, workflows.length - MOST_LINKS));
    const links = workflows.slice(from, from + MOST_LINKS).map(link);
    const more = workflows.length - links.length;
    this.element.replaceChildren(make("b", {}, `Run ${run}`), make("span", {}, `${done}/${all} in ${workflows.length} workflows:`), ...links, ...(more ? [make("span.note", {}, `and ${more} more`)] : []));
  }
}
