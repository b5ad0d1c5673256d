"use strict";
// The graph: boxes in layers from left to right, each below those it follows, drawn as SVG.

function graphPicture() {
  const { boxes, edges } = story.graph;
  if (boxes.length < 2) return null;
  const after = boxes.map(() => []), before = boxes.map(() => []);
  for (const [one, other] of edges) { after[one].push(other); before[other].push(one); }

  // the layer of a box: one more than that of the latest box before it
  const layer = boxes.map(() => 0), waiting = before.map((list) => list.length);
  const ready = waiting.flatMap((count, n) => (count ? [] : [n]));
  let done = 0;
  while (ready.length) {
    const n = ready.shift();
    done += 1;
    for (const next of after[n]) { layer[next] = Math.max(layer[next], layer[n] + 1); if (!--waiting[next]) ready.push(next); }
  }
  if (done < boxes.length) waiting.forEach((count, n) => { if (count > 0) layer[n] = Math.max(...layer) + 1; }); // a recursion that was folded
  const columns = [];
  boxes.forEach((_, n) => (columns[layer[n]] ||= []).push(n));
  const place = [];
  columns.forEach((column) => column.forEach((n, row) => { place[n] = row; }));
  for (let turn = 0; turn < 6; turn += 1) { // towards the middle of the neighbours, forth and back
    const order = turn % 2 ? [...columns].reverse() : columns;
    for (const column of order.filter(Boolean)) {
      const middle = (n) => { const near = (turn % 2 ? after : before)[n]; return near.length ? near.reduce((sum, one) => sum + place[one], 0) / near.length : place[n]; };
      const wanted = new Map(column.map((n) => [n, middle(n)]));
      column.sort((a, b) => wanted.get(a) - wanted.get(b) || place[a] - place[b]);
      column.forEach((n, row) => { place[n] = row; });
    }
  }
  const wide = 164, high = 46, across = 46, down = 16, filled = columns.filter(Boolean);
  const tallest = Math.max(...filled.map((column) => column.length));
  const whole = tallest * (high + down) - down, x = [], y = [];
  filled.forEach((column, number) => column.forEach((n, row) => {
    x[n] = 6 + number * (wide + across);
    y[n] = 6 + (whole - (column.length * (high + down) - down)) / 2 + row * (high + down);
  }));
  const width = filled.length * (wide + across) - across + 12, height = whole + 12;
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Graph of the run: ${boxes.length} kinds of tasks, ${edges.length} dependencies` },
    make("defs", {}, make("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, make("path", { d: "M0,0 L8,4 L0,8 z" }))),
    edges.map(([one, other]) => {
      const x0 = x[one] + wide, y0 = y[one] + high / 2, x1 = x[other] - 1, y1 = y[other] + high / 2, bend = Math.max(24, (x1 - x0) / 2);
      return make("path", { d: `M${x0},${y0} C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1},${y1}`, "marker-end": "url(#arrow)" });
    }),
    boxes.map((box, n) => {
      const total = Object.values(box.counts).reduce((sum, one) => sum + one, 0);
      const told = Object.entries(box.counts).map(([phase, count]) => `${markOf(phase)} ${count}`).join("  ");
      let done = 0;
      const bars = Object.entries(box.counts).map(([phase, count]) => {
        const bar = make("rect", { class: `fill-${phase}`, x: x[n] + 1 + (done / total) * (wide - 2), y: y[n] + high - 4, width: (count / total) * (wide - 2), height: 3 });
        done += count;
        return bar;
      });
      const cut = box.title.length > 23 ? `${box.title.slice(0, 11)}…${box.title.slice(-11)}` : box.title;
      return make("g", {}, make("title", {}, `${box.title}\n${told}\ntemplate ${box.template}, ${lasting(box.seconds)} of tasks' time`),
        make("rect", { class: "box", x: x[n], y: y[n], width: wide, height: high, rx: 6 }), bars,
        make("text", { x: x[n] + 10, y: y[n] + 18 }, cut), make("text", { class: "less", x: x[n] + 10, y: y[n] + 35 }, total > 1 ? `${told}   ${lasting(box.seconds)}` : `${told} ${Object.keys(box.counts)[0]}   ${lasting(box.seconds)}`));
    }));
  const data = () => asCsv({ names: ["task", "template", "seconds", "statuses", "follows"], rows: boxes.map((box, n) => [box.title, box.template, box.seconds, Object.entries(box.counts).map(([phase, count]) => `${count} ${phase}`).join(" "), before[n].map((one) => boxes[one].title).join(" ")]) });
  return make("div", {}, make("div", { class: "graph", tabindex: 0, role: "region", "aria-label": "Graph of the run" }, svg),
    saveButtons(() => `Graph of ${story.run}`, { SVG: () => inDaylight(() => standalone(svg)), CSV: data }));
}
