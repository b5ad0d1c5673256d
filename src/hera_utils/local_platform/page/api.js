"use strict";
// Requests to the API that serves this page. Without a token they pass because this browser belongs to the user who runs the
// server; where that cannot be told (another operating system, an old browser) the token is asked for once and kept in this tab.

const api = { token: "", streams: new Set() };

api.start = () => {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  api.token = sessionStorage.getItem("token") || "";
  // A browser keeps a page that was left, for the way back, and its streams with it; after six of them a server gets no connection any more.
  addEventListener("pagehide", () => api.streams.forEach((control) => control.abort()));
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
};

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

api.fetch = async (path, options = {}) => {
  const headers = { Accept: "application/json", ...(api.token ? { Authorization: `Bearer ${api.token}` } : {}) };
  if (options.body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
  if (answer.ok) return answer;
  const text = await answer.text();
  let message = text;
  try {
    const body = JSON.parse(text);
    message = (body.error || body).message || text;
  } catch { /* plain text */ }
  throw new Refusal(answer.status, message);
};

api.get = async (path) => (await api.fetch(path)).json();

api.put = async (path, body) => (await api.fetch(path, { method: "PUT", body: JSON.stringify(body) })).json();

/** Each document of a stream (one JSON object a line) is handed to `take`; ends with the stream, its signal or the page. */
api.stream = async (path, signal, take) => {
  const control = new AbortController();
  signal?.addEventListener("abort", () => control.abort());
  api.streams.add(control);
  try {
    const answer = await api.fetch(path, { signal: control.signal });
    await eachDocument(answer.body.pipeThrough(new TextDecoderStream()).getReader(), take);
  } finally {
    api.streams.delete(control);
  }
};

const eachDocument = async (reader, take) => {
  let parts = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = value.split("\n");
    parts.push(lines[0]);
    if (lines.length === 1) continue;
    // Of several states that arrived together only the reader decides which ones count.
    const whole = [parts.join(""), ...lines.slice(1, -1)];
    parts = [lines[lines.length - 1]];
    take(whole.filter((line) => line.trim()).map((line) => JSON.parse(line)));
  }
};

const segment = encodeURIComponent;
const runPath = (namespace, name) => `/api/v1/workflows/${segment(namespace)}/${segment(name)}`;
