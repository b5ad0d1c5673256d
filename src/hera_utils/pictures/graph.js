"use strict";
// The graph: boxes in layers from left to right, each below those it follows, drawn as SVG.

const BOX = { wide: 164, high: 46, across: 46, down: 16, bend: 4, margin: 6 };

const MOST_BENDS = 2000; // places that long edges pass through; of more, edges are straight

/** The layer of each box: one more than that of the latest box before it. */
function layersOf(count, edges) {
  const after = Array.from({ length: count }, () => []), waiting = new Array(count).fill(0), layer = new Array(count).fill(0);
  for (const [one, other] of edges) { after[one].push(other); waiting[other] += 1; }
  const ready = waiting.flatMap((number, n) => (number ? [] : [n]));
  for (let done = 0; done < ready.length; done += 1) {
    for (const next of after[ready[done]]) { layer[next] = Math.max(layer[next], layer[ready[done]] + 1); if (!--waiting[next]) ready.push(next); }
  }
  if (ready.length < count) { const last = Math.max(...layer) + 1; waiting.forEach((number, n) => { if (number > 0) layer[n] = last; }); } // a recursion that was folded
  return layer;
}

/** {x, y, width, height, bends}: where each box is, and the places that each edge over several layers passes through, so that it crosses no box.
 * Within a layer boxes and such places move towards their neighbours. */
function layered(count, edges) {
  const layer = layersOf(count, edges), long = edges.reduce((sum, [one, other]) => sum + Math.max(0, layer[other] - layer[one] - 1), 0);
  const after = layer.map(() => []), before = layer.map(() => []), bends = edges.map(() => []);
  edges.forEach(([one, other], number) => {
    let from = one;
    for (let at = layer[one] + 1; at < layer[other] && long <= MOST_BENDS; at += 1) {
      const bend = layer.push(at) - 1;
      bends[number].push(bend);
      after[from].push(bend); after.push([]); before.push([from]);
      from = bend;
    }
    after[from].push(other); before[other].push(from);
  });
  const columns = [], row = [];
  layer.forEach((place, n) => (columns[place] ||= []).push(n));
  const settle = (column) => column.forEach((n, place) => { row[n] = place; });
  columns.forEach(settle);
  for (let turn = 0; turn < 8; turn += 1) { // forth and back
    const near = turn % 2 ? after : before;
    for (const column of turn % 2 ? [...columns].reverse() : columns) {
      const wanted = new Map(column.map((n) => [n, near[n].length ? near[n].reduce((sum, one) => sum + row[one], 0) / near[n].length : row[n]]));
      column.sort((a, b) => wanted.get(a) - wanted.get(b) || row[a] - row[b]);
      settle(column);
    }
  }
  const { wide, high, across, down, bend, margin } = BOX, room = (n) => (n < count ? high : bend) + down;
  const heights = columns.map((column) => column.reduce((sum, n) => sum + room(n), -down)), whole = Math.max(...heights), x = [], y = [];
  columns.forEach((column, number) => {
    let top = margin + (whole - heights[number]) / 2;
    for (const n of column) { x[n] = margin + number * (wide + across); y[n] = top; top += room(n); }
  });
  return { x, y, bends, width: columns.length * (wide + across) - across + 2 * margin, height: whole + 2 * margin };
}

/** {element, update(boxes, edges)}. boxes: {title, template, counts: {phase: how many}, seconds, chosen}; edges: [one, other], by number.
 * choose(n): a box was clicked, or Enter pressed on it. */
function graphPicture(title, choose = null) {
  let boxes = [], edges = [], svg = null;
  const scroll = make("div", { class: "graph", tabindex: 0, role: "region", "aria-label": "Graph of the run" });
  const told = ({ counts }) => Object.entries(counts).map(([phase, count]) => `${markOf(phase)} ${count}`).join("  ");
  const total = ({ counts }) => Object.values(counts).reduce((sum, one) => sum + one, 0);
  const words = ({ counts }) => Object.entries(counts).map(([phase, count]) => `${count} ${phase}`);

  function edge({ x, y, bends }, [one, other], number) {
    let right = x[one] + BOX.wide, height = y[one] + BOX.high / 2, d = `M${right},${height}`;
    const curve = (left, to) => { const bend = Math.max(20, (left - right) / 2); d += ` C${right + bend},${height} ${left - bend},${to} ${left},${to}`; height = to; };
    for (const n of bends[number]) { curve(x[n], y[n] + BOX.bend / 2); right = x[n] + BOX.wide; d += ` H${right}`; }
    curve(x[other] - 1, y[other] + BOX.high / 2);
    return make("path", { d, "marker-end": "url(#arrow)" });
  }

  function shares(box, x, y) {
    const all = total(box);
    let done = 0;
    return Object.entries(box.counts).map(([phase, count]) => {
      const part = make("rect", { class: `fill-${phase}`, x: x + 1 + (done / all) * (BOX.wide - 2), y: y + BOX.high - 4, width: (count / all) * (BOX.wide - 2), height: 3 });
      done += count;
      return part;
    });
  }

  function drawn(box, n, x, y) {
    const cut = box.title.length > 21 ? `${box.title.slice(0, 10)}…${box.title.slice(-10)}` : box.title, took = lasting(box.seconds);
    const pressed = choose && { tabindex: 0, role: "button", "aria-pressed": String(Boolean(box.chosen)), "data-box": n, click: () => choose(n), keydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(n); } } };
    return make("g", { "aria-label": `${box.title}: ${words(box).join(", ")}`, ...pressed },
      make("title", {}, `${box.title}\n${told(box)}\ntemplate ${box.template}, ${took} of tasks' time`),
      make("rect", { class: box.chosen ? "box chosen" : "box", x, y, width: BOX.wide, height: BOX.high, rx: 6 }), shares(box, x, y),
      make("text", { x: x + 10, y: y + 18 }, cut),
      make("text", { class: "less", x: x + 10, y: y + 35 }, `${total(box) > 1 ? told(box) : `${told(box)} ${Object.keys(box.counts)[0]}`} · ${took}`));
  }

  function update(nextBoxes, nextEdges) {
    boxes = nextBoxes;
    edges = nextEdges;
    const focus = svg && svg.contains(document.activeElement) ? document.activeElement.dataset.box : null;
    const places = layered(boxes.length, edges), { x, y, width, height } = places;
    svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: choose ? "group" : "img", "aria-label": `Graph of the run: ${boxes.length} kinds of tasks, ${edges.length} dependencies` },
      make("defs", {}, make("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, make("path", { d: "M0,0 L8,4 L0,8 z" }))),
      edges.map((one, number) => edge(places, one, number)), boxes.map((box, n) => drawn(box, n, x[n], y[n])));
    scroll.replaceChildren(svg);
    if (focus !== null) svg.querySelector(`[data-box="${focus}"]`)?.focus({ preventScroll: true });
  }

  const data = () => asCsv({ names: ["task", "template", "seconds", "statuses", "follows"], rows: boxes.map((box, n) => [box.title, box.template, box.seconds, words(box).join(" "), edges.filter(([, other]) => other === n).map(([one]) => boxes[one].title).join(" ")]) });
  const element = make("div", {}, scroll, saveButtons(() => title, { SVG: () => inDaylight(() => standalone(svg)), CSV: data }));
  return { element, update };
}
