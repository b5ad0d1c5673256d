// A log that follows: lines are appended in batches, the oldest leave when there are too many.

const MOST_LINES = 10000;

// what programs write for terminals: colours, cursor moves, titles
const CONTROLS = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** taskOf: what the task of a pod is called. */
const logView = (namespace, name, pod, container, follow, taskOf) => {
  const view = make("pre.log", { tabindex: "0", "aria-label": `log of ${pod || name}` });
  const hint = make("span.note", {}, follow ? "(no lines yet)" : "(reading…)");
  view.append(hint);
  const control = new AbortController();
  let waiting = [], lines = 0, painted = true;
  const paint = () => {
    painted = true;
    hint.remove();
    const atEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - 40;
    view.append(document.createTextNode(waiting.join("")));
    lines += waiting.length;
    waiting = [];
    while (lines > MOST_LINES && view.childNodes.length > 1) {
      lines -= view.firstChild.textContent.split("\n").length - 1;
      view.firstChild.remove();
    }
    if (atEnd) view.scrollTop = view.scrollHeight;
  };
  const take = (documents) => {
    for (const { result, error } of documents) {
      waiting.push(error ? `${error.message}\n` : `${pod ? "" : `${taskOf(result.podName)}: `}${(result.content ?? "").replace(CONTROLS, "")}\n`);
    }
    if (painted) {
      painted = false;
      setTimeout(paint, 50);
    }
  };
  const query = new URLSearchParams({ "logOptions.container": container, "logOptions.tailLines": MOST_LINES });
  if (pod) query.set("podName", pod);
  if (follow) query.set("logOptions.follow", "true");
  api.stream(`${runPath(namespace, name)}/log?${query}`, control.signal, take)
    .then(() => { if (!lines && !waiting.length) hint.textContent = "(no lines)"; })
    .catch((error) => { if (error.name !== "AbortError") hint.replaceWith(make("span.wrong", {}, error.message)); });
  return { view, stop: () => control.abort() };
};
