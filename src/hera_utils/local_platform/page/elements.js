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

const phaseMark = (phase, withWord = true) =>
  make(`span.phase.${phase || "Unknown"}`, withWord ? {} : { role: "img", "aria-label": phase || "not started", title: phase },
    pictures.markOf(phase) + (withWord ? ` ${phase || "Pending"}` : ""));

const seconds = (from, to) => (from ? Math.max(0, ((to ? Date.parse(to) : Date.now()) - Date.parse(from)) / 1000) : null);

const duration = (from, to) => {
  const all = seconds(from, to);
  return pictures.lasting(to || all === null ? all : Math.floor(all)); // what goes on is counted in whole seconds
};

const moment = (text) => (text ? new Date(text).toLocaleString() : "");

const say = (text) => { document.getElementById("connection").textContent = text; };

const show = (...children) => document.getElementById("main").replaceChildren(...children);

/** Other children, without taking the keyboard away from the one like it. */
const redraw = (container, ...children) => {
  const all = () => [...container.querySelectorAll("a, button")], mark = (one) => one.href || one.textContent;
  const before = all(), at = before.indexOf(document.activeElement);
  container.replaceChildren(...children);
  if (at < 0) return;
  const after = all();
  (after.find((one) => mark(one) === mark(before[at])) || after[at])?.focus({ preventScroll: true });
};

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

/** Views of which one is seen, chosen by its tab; which one is kept in the address. views: {name: [title, element]}, the first is the usual one. */
class Tabs {
  constructor(views, changed) {
    this.views = views;
    this.changed = changed;
    const names = Object.keys(views);
    const key = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.open(names[(names.indexOf(this.name) + step + names.length) % names.length]);
      this.buttons[this.name].focus();
    };
    this.buttons = Object.fromEntries(names.map((name) => [name, make("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `view-${name}`, onclick: () => this.open(name), onkeydown: key }, views[name][0])]));
    for (const name of names) {
      const element = views[name][1];
      element.id = `view-${name}`;
      element.setAttribute("role", "tabpanel");
      element.setAttribute("aria-labelledby", `tab-${name}`);
    }
    this.element = make("div.tabs", { role: "tablist", "aria-label": "Views of the run" }, ...Object.values(this.buttons));
    this.show(names.includes(address.get("tab")) ? address.get("tab") : names[0]);
  }

  show(name) {
    this.name = name;
    for (const [other, button] of Object.entries(this.buttons)) {
      button.setAttribute("aria-selected", String(other === name));
      button.tabIndex = other === name ? 0 : -1;
      this.views[other][1].hidden = other !== name;
    }
  }

  open(name) {
    this.show(name);
    address.set({ tab: name });
    this.changed();
  }
}
