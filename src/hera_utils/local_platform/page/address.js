// What the reader chose, in the query of the address: a link, a reload and the way back show the same.

const address = {
  get: (name) => new URLSearchParams(location.search).get(name) || "",
  /** {name: value}; what is empty leaves. */
  set: (changes) => {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) if (value) query.set(name, value); else query.delete(name);
    const text = query.toString();
    history.replaceState(null, "", `${location.pathname}${text && "?"}${text}${location.hash}`);
  },
};
