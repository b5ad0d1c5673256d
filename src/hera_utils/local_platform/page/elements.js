// Everything on the page is made here, from text: nothing that comes from a workflow is ever read as HTML.

/** make("td.note", {title: "…"}, child, child…): an element; texts become text nodes. */
const make = (what, attributes = {}, ...children) => {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
};

const SIGNS = {
  Succeeded: "✔", Failed: "✘", Error: "⚠", Running: "●", Pending: "◷", Suspended: "‖", Skipped: "○", Omitted: "○", Daemoned: "◆",
};

const phaseMark = (phase, withWord = true) =>
  make(`span.phase.${phase || "Unknown"}`, withWord ? {} : { role: "img", "aria-label": phase || "not started", title: phase },
    (SIGNS[phase] || "·") + (withWord ? ` ${phase || "Pending"}` : ""));

const seconds = (from, to) => (from ? Math.max(0, ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000) : null);

const duration = (from, to) => {
  const all = seconds(from, to);
  if (all === null) return "";
  const s = Math.floor(all), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
};

const moment = (text) => (text ? new Date(text).toLocaleString() : "");

const say = (text) => { document.getElementById("connection").textContent = text; };

const show = (...children) => document.getElementById("main").replaceChildren(...children);

const pairs = (entries) => {
  const list = make("dl");
  for (const [name, value] of entries) {
    if (value === undefined || value === null || value === "") continue;
    const shown = value instanceof Node ? value : typeof value === "string" ? value : JSON.stringify(value);
    list.append(make("dt", {}, name), make("dd", {}, shown));
  }
  return list;
};

const parametersOf = (io) => ((io || {}).parameters || []).map((p) => [p.name, p.value ?? p.default ?? "(unknown yet)"]);

/** A link to a file. With a token a plain link would be refused, so the file is fetched and saved. */
const download = (path, name) => make("a", {
  href: path,
  onclick: async (event) => {
    if (!api.token) return;
    event.preventDefault();
    try {
      const answer = await api.fetch(path);
      const file = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "");
      const address = URL.createObjectURL(await answer.blob());
      make("a", { href: address, download: file ? file[1] : name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
    } catch (error) {
      say(error.message);
    }
  },
}, name);
