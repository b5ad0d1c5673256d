"use strict";
// A table of thousands of rows: sorted, filtered, of which only the rows in sight are in the page.

const ROW = 28, MARGIN = 12;

function dataTable(table) {
  const columns = table.columns.map(unpacked);
  const logs = columns.find((column) => column.role === "log");
  const shownColumns = columns.filter((column) => column.role !== "log");
  const templates = columns.find((column) => column.name === "template" && column.role === "key");
  const statuses = columns.find((column) => column.name === "status" && column.role === "measure");
  const state = { sort: null, down: false, words: "", template: table.title === "tasks" && !story.plots.table.startsWith("p") ? story.plots.template : "", status: "", all: false };
  let rows = [], seen = [], drawn = "";

  const count = make("span", { class: "note", role: "status", "aria-live": "polite" });
  const head = make("tr"), body = make("tbody"), widths = make("colgroup");
  const grid = make("table", { class: "data", "aria-rowcount": table.rows + 1 }, make("caption", { class: "skip" }, `The ${table.title} of the run`), widths, make("thead", {}, head), body);
  const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `The ${table.title} of the run` }, grid);
  scroll.addEventListener("scroll", () => draw());

  let texts = null;
  function words(row) {
    texts ||= [];
    return (texts[row] ??= shownColumns.map((column) => String(column.values[row] ?? "")).join("\u0001").toLowerCase());
  }

  /** One word of the filter: `column>3`, `column=x`, or a text that a cell holds. */
  function test(word) {
    const found = word.match(/^(.+?)(<=|>=|!=|=|<|>)(.*)$/);
    const column = found && columns.find((one) => one.name.toLowerCase() === found[1].toLowerCase());
    if (!column) return (row) => words(row).includes(word.toLowerCase());
    const [, , sign, text] = found, number = Number(text);
    return (row) => {
      const value = column.values[row];
      if (value === null || value === undefined) return sign === "!=";
      const [one, other] = column.numeric && text !== "" ? [value, number] : [String(value).toLowerCase(), text.toLowerCase()];
      return { "<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other, "=": one === other, "!=": one !== other }[sign];
    };
  }

  function choose() {
    const tests = state.words.split(/\s+/).filter(Boolean).map(test);
    if (state.template && templates) tests.push((row) => templates.values[row] === state.template);
    if (state.status && statuses) tests.push((row) => statuses.values[row] === state.status);
    rows = [];
    for (let row = 0; row < table.rows; row += 1) if (tests.every((one) => one(row))) rows.push(row);
    if (state.sort) {
      const { values, numeric } = state.sort, sign = state.down ? -1 : 1;
      const compare = numeric ? (a, b) => a - b : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      rows.sort((a, b) => {
        const one = values[a], other = values[b];
        if (one === other) return a - b;
        if (one === null || Number.isNaN(one)) return 1; // what is not there is last, whichever way
        if (other === null || Number.isNaN(other)) return -1;
        return sign * compare(one, other) || a - b;
      });
    }
    count.textContent = rows.length === table.rows ? `${short(table.rows)} rows` : `${short(rows.length)} of ${short(table.rows)} rows`;
    seen = visible();
    header();
    draw(true);
  }

  /** The columns that say something of the rows in question. */
  function visible() {
    if (state.all || rows.length < 1) return shownColumns;
    return shownColumns.filter((column) => {
      if (column.role === "measure" && /_bytes$|^requested_/.test(column.name)) return false;
      if (column.role === "measure" || column.name === "task") return column.name !== "attempts" || column.values.some((one) => one > 1);
      const first = column.values[rows[0]];
      const same = rows.every((row) => column.values[row] === first);
      return !same || (rows.length === 1 && first !== null) || (column.role === "output" && first !== null);
    }).filter((column) => !(column.role === "key" && column.name === "point"));
  }

  function width(column) {
    let longest = Math.max(4, column.name.length + 1);
    const step = Math.max(1, Math.floor(table.rows / 2000));
    for (let row = 0; row < table.rows; row += step) longest = Math.max(longest, cell(column, row).length);
    return Math.min(40, longest) + 2.6;
  }

  function cell(column, row) {
    const value = column.values[row];
    if (value === null || value === undefined) return "";
    if (column.name === "status" && column.role === "measure") return `${markOf(value)} ${value}`;
    if (column.role === "measure" && /_(memory|bytes)$/.test(column.name)) return size(value);
    return column.numeric ? short(value) : String(value).replace(/\s+/g, " ");
  }

  function header() {
    let total = 0;
    widths.replaceChildren(...seen.map((column) => {
      const one = make("col"), ch = width(column);
      total += ch;
      one.style.width = `${ch}ch`;
      return one;
    }));
    grid.style.width = `max(100%, ${total}ch)`;
    head.replaceChildren(...seen.map((column) => {
      const chosen = state.sort === column;
      return make("th", { scope: "col", class: `${column.role} ${column.numeric ? "right" : ""}`, "aria-sort": chosen ? (state.down ? "descending" : "ascending") : "none" },
        make("button", { type: "button", title: `Sort by ${column.name}`, click: () => { state.down = chosen && !state.down; state.sort = chosen && !state.down ? null : column; choose(); } },
          `${column.name}${chosen ? (state.down ? " ▼" : " ▲") : ""}`));
    }));
  }

  function draw(force) {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - MARGIN);
    const last = Math.min(rows.length, Math.ceil((scroll.scrollTop + (scroll.clientHeight || 600)) / ROW) + MARGIN);
    const range = `${first}-${last}`;
    if (!force && range === drawn) return;
    drawn = range;
    const focused = document.activeElement?.closest?.("tr")?.dataset?.row;
    body.replaceChildren(space(first), ...rows.slice(first, last).map((row, n) => line(row, first + n)), space(rows.length - last));
    if (focused !== undefined) body.querySelector(`tr[data-row="${focused}"]`)?.focus({ preventScroll: true });
  }

  function space(count) {
    const one = make("tr", { class: "space", "aria-hidden": "true" }, make("td", { colspan: seen.length || 1 }));
    one.style.height = `${count * ROW}px`;
    return one;
  }

  function line(row, place) {
    const open = () => details(row);
    return make("tr", { tabindex: 0, "data-row": row, "aria-rowindex": place + 2, click: open, keydown: (event) => keys(event, open) },
      seen.map((column) => {
        const text = cell(column, row), status = column.name === "status" && column.role === "measure";
        return make("td", { class: `${column.numeric ? "right" : ""} ${status ? column.values[row] : ""}`, title: text.length > 36 ? text : null }, text);
      }));
  }

  function keys(event, open) {
    const near = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); }
    else if (near) {
      const other = event.currentTarget[near];
      if (other && !other.classList.contains("space")) { event.preventDefault(); other.focus(); }
    }
  }

  function details(row) {
    const told = columns.filter((column) => column.role !== "log" && column.values[row] !== null && column.values[row] !== "")
      .flatMap((column) => [make("dt", {}, column.name), make("dd", {}, column.numeric ? String(column.values[row]) : cellWhole(column, row))]);
    const name = columns.find((column) => column.name === "task" || column.name === "point");
    showDetails(name ? String(name.values[row]) : `Row ${row + 1}`, make("dl", {}, told), logs?.values[row] ? make("pre", {}, logs.values[row]) : null);
  }

  const cellWhole = (column, row) => String(column.values[row]);

  function asCsv() {
    const quoted = (value) => (/[",\r\n]/.test(value) ? `"${value.replace(/"/g, '""')}"` : value);
    const lines = [shownColumns.map((column) => quoted(column.name)).join(",")];
    for (const row of rows) lines.push(shownColumns.map((column) => quoted(String(column.values[row] ?? ""))).join(","));
    const address = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }));
    const link = make("a", { href: address, download: `${story.run}-${table.title.replaceAll(" ", "-")}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  let pause = 0;
  const search = make("input", { type: "search", placeholder: "Filter: words, or column>3", "aria-label": `Filter the ${table.title}`,
    input: (event) => { clearTimeout(pause); pause = setTimeout(() => { state.words = event.target.value; scroll.scrollTop = 0; choose(); }, table.rows > 3000 ? 150 : 0); } });
  const options = (column) => [...new Set(column.values)].filter((one) => one !== null);
  const bar = make("div", { class: "bar" }, make("span", { class: "grow" }, search),
    templates && options(templates).length > 1 ? choice("template", [{ value: "", title: "all" }, ...options(templates)], state.template, (value) => { state.template = value; choose(); }) : null,
    statuses && options(statuses).length > 1 ? choice("status", [{ value: "", title: "all" }, ...options(statuses)], "", (value) => { state.status = value; choose(); }) : null,
    make("button", { type: "button", "aria-pressed": "false", click: (event) => { state.all = !state.all; event.target.setAttribute("aria-pressed", state.all); choose(); } }, "All columns"),
    make("button", { type: "button", click: asCsv }, "Save as CSV"), count);
  choose();
  new ResizeObserver(() => requestAnimationFrame(() => draw())).observe(scroll);
  return make("div", {}, table.note ? make("p", { class: "note" }, `${table.note[0].toUpperCase()}${table.note.slice(1)}.`) : null, bar, scroll);
}

function showDetails(title, ...parts) {
  const dialog = document.getElementById("details");
  dialog.replaceChildren(make("div", { class: "bar" }, make("h2", { id: "details-title" }, title), make("button", { type: "button", click: () => dialog.close() }, "Close")), ...parts.filter(Boolean));
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
}
