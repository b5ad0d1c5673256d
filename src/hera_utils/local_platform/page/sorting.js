// Sorting by columns, as tables do: a press on a head sorts upwards, a second one downwards, a third one brings back the usual order. What is
// chosen stands in the address: sort=name, sort=-name.

const PHASE_ORDER = ["Failed", "Error", "Running", "Suspended", "Daemoned", "Pending", "Succeeded", "Skipped", "Omitted"];
const collator = new Intl.Collator("en", { numeric: true });

class SortOrder {
  /** columns: {name: title} of those that sort. changed(): another order was chosen. word: what it is called in the address. */
  constructor(columns, changed, word = "sort") {
    this.columns = columns;
    this.changed = changed;
    this.word = word;
    const given = address.get(word), name = given.replace(/^-/, "");
    this.column = Object.hasOwn(columns, name) ? name : "";
    this.down = Boolean(this.column) && given.startsWith("-");
    this.heads = new Map();
  }

  /** The head of a column, on its element. */
  head(element, name) {
    this.heads.set(name, element);
    element.append(make("button.sort", { type: "button", onclick: () => this.press(name) }, this.columns[name], make("span", { "aria-hidden": "true" })));
    this.mark();
    return element;
  }

  press(name) {
    if (this.column !== name) Object.assign(this, { column: name, down: false });
    else if (!this.down) this.down = true;
    else Object.assign(this, { column: "", down: false });
    address.set({ [this.word]: this.column && `${this.down ? "-" : ""}${this.column}` });
    this.mark();
    this.changed();
  }

  mark() {
    for (const [name, head] of this.heads) {
      const chosen = name === this.column;
      head.setAttribute("aria-sort", chosen ? (this.down ? "descending" : "ascending") : "none");
      head.querySelector("span").textContent = chosen ? (this.down ? " ▼" : " ▲") : "";
    }
  }

  /** The items in the chosen order; equal ones, and all while none is chosen, stay as they were. value(item, column): a number or a text, null comes last. */
  sorted(items, value) {
    if (!this.column) return items;
    const sign = this.down ? -1 : 1, keyed = items.map((item) => [value(item, this.column), item]);
    const order = ([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * (typeof a === "string" ? collator.compare(a, b) : a - b));
    return keyed.sort(order).map(([, item]) => item);
  }
}
