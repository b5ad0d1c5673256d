"use strict";
// Pictures of a whole sweep: how much each input matters for an output, and where in the space its points are.

const MOST_AXES = 12, MOST_SIDES = 6, MOST_COMPARED = 1500, MOST_BARS = 60;

/** Bars of each input's importance: Sobol indices where the design allows them, else rank correlations. */
function importanceBars(given) {
  const { context, width, tall, state, y, rows, columns, axes, note, hit, key } = given;
  const isThere = (column, row) => (column.numeric ? Number.isFinite(column.values[row]) : column.values[row] !== null);
  const whole = rows.filter((row) => axes.every((name) => isThere(columns[name], row)));
  const inputs = axes.slice(0, MOST_AXES).map((name) => ({ name, numeric: columns[name].numeric, values: whole.map((row) => columns[name].values[row]) }));
  if (whole.length < 3) { note.textContent = "Three results are needed to say anything."; return; }
  const found = importanceBesideChance(inputs, whole.map((row) => y.values[row]));
  given.behind({ names: ["input", "rank_correlation", "first_order", "total"], rows: found.rows.map((one) => [one.name, one.rank, one.first, one.total]) });
  const indices = found.design !== null, signed = !indices && found.rows.some((one) => one.rank < 0);
  const left = Math.min(width * 0.35, 14 + Math.max(...found.rows.map((one) => context.measureText(one.name).width))), right = width - 46, top = 24, bottom = tall - 28;
  const low = signed ? -1 : 0, px = (value) => left + ((Math.min(1, Math.max(low, value)) - low) / (1 - low)) * (right - left), each = (bottom - top) / found.rows.length;
  context.strokeStyle = colour("grid"); context.fillStyle = colour("faint"); context.textAlign = "center"; context.textBaseline = "top"; context.lineWidth = 1;
  for (const mark of signed ? [-1, -0.5, 0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
    context.beginPath(); context.moveTo(px(mark), top); context.lineTo(px(mark), bottom); context.stroke();
    context.fillText(short(mark), px(mark), bottom + 6);
  }
  context.textAlign = "left"; context.textBaseline = "alphabetic";
  context.fillText(indices ? "share of the variance" : "rank correlation", left, 14);
  const bar = (value, y0, thick, shade) => {
    context.fillStyle = shade; context.fillRect(Math.min(px(0), px(value)), y0, Math.max(1, Math.abs(px(value) - px(0))), thick);
    context.fillStyle = colour("faint"); context.textBaseline = "middle"; context.textAlign = value < 0 ? "right" : "left";
    const text = value.toFixed(2), fits = value >= 0 || px(value) - 5 - context.measureText(text).width > left; // else it would cover the name
    if (!fits) context.textAlign = "left";
    context.fillText(text, fits ? px(value) + (value < 0 ? -5 : 5) : px(0) + 5, y0 + thick / 2);
  };
  found.rows.forEach((one, n) => {
    const start = top + n * each;
    context.fillStyle = colour("ink"); context.textAlign = "right"; context.textBaseline = "middle";
    context.fillText(fitted(context, one.name, left - 12), left - 8, start + each / 2);
    if (indices) { bar(one.total, start + each * 0.14, each * 0.34, colour("c1")); bar(one.first, start + each * 0.52, each * 0.34, colour("c0")); }
    else bar(one.rank, start + each * 0.2, each * 0.6, colour(one.rank < 0 ? "c3" : "c0"));
    hit({ x: 0, w: width, y: start, h: each, text: () => [one.name, indices ? `first order ${one.first.toFixed(3)}\ntotal ${one.total.toFixed(3)}${one.pairs ? `, from ${one.pairs} pairs of points` : ""}` : "", one.rank === null ? "" : `rank correlation ${one.rank.toFixed(3)}`].filter(Boolean).join("\n") });
  });
  if (indices) { key("total: with its interactions", colour("c1")); key("first order: alone", colour("c0")); }
  note.textContent = {
    grid: `Sobol indices, exact for this grid of ${short(whole.length)} points.${found.chance}`,
    pairs: `Sobol indices, estimated from pairs of the ${short(whole.length)} points computed.${found.chance}`,
  }[found.design] || `Spearman's rank correlation over ${short(whole.length)} points${found.rows.some((one) => !one.signed) ? "; for texts the correlation ratio of the ranks" : ""}. Inputs that vary together share their importance.`;
}

/**
 * {bars: [[left side, number]], broad: the breadth of a bar}, for places of 0…1: a bar for each place where few places repeat, as in a grid (bars
 * of equal ranges would hold one of its values or two, and look uneven); else 20 of equal ranges.
 */
function barsOf(places) {
  const counts = new Map();
  for (const place of places) counts.set(place, (counts.get(place) || 0) + 1);
  if (counts.size <= MOST_BARS && 2 * counts.size <= places.length) {
    const bars = [...counts].sort(([one], [other]) => one - other), gaps = bars.slice(1).map(([place], n) => place - bars[n][0]);
    const broad = Math.min(1, ...gaps.map((gap) => gap / (1 + gap)));
    return { bars: bars.map(([place, number]) => [place * (1 - broad), number]), broad };
  }
  const bins = new Array(20).fill(0);
  for (const place of places) bins[Math.min(19, Math.floor(place * 20))] += 1;
  return { bars: bins.map((number, n) => [n / 20, number]), broad: 1 / 20 };
}

/** Each two inputs against each other; on the diagonal how often each value is there. Points without a result are rings. */
function coverage(given) {
  const { context, width, tall, state, y, every, columns, axes, note, hit } = given;
  const rows = every, shown = axes.slice(0, MOST_SIDES).map((name) => columns[name]), scales = shown.map((column) => scale(column, rows, wide(column, rows)));
  given.behind({ names: [...axes, "computed"], rows: rows.map((row) => [...axes.map((name) => columns[name].values[row]), Number.isFinite(y.values[row])]) });
  const left = 2, top = 6, gap = 8, count = shown.length, side = (width - 2 * left - gap * (count - 1)) / count, high = (tall - top - 2 - gap * (count - 1)) / count;
  const radius = Math.max(1.1, Math.min(3, side / 45, 90 / Math.sqrt(rows.length)));
  const done = rows.map((row) => Number.isFinite(y.values[row]));
  const at = (share, from, room) => from + 5 + share * (room - 10);
  shown.forEach((across, i) => shown.forEach((up, j) => {
    if (j < i) return;
    const x0 = left + i * (side + gap), y0 = top + j * (high + gap);
    context.strokeStyle = colour("grid"); context.lineWidth = 1;
    context.beginPath(); context.moveTo(x0, y0); context.lineTo(x0 + side, y0); context.lineTo(x0 + side, y0 + high); context.lineTo(x0, y0 + high); context.lineTo(x0, y0); context.stroke();
    if (i === j) {
      const { bars, broad } = barsOf(rows.map((row) => scales[i].of(across.values[row])).filter(Number.isFinite));
      const most = Math.max(...bars.map(([, number]) => number));
      context.fillStyle = colour("line");
      bars.forEach(([place, number]) => { const h = (number / most) * (high - 24); context.fillRect(x0 + 5 + place * (side - 10), y0 + high - h, Math.max(1, broad * (side - 10) - 1), h); });
      context.fillStyle = colour("ink"); context.textAlign = "left"; context.textBaseline = "top";
      context.fillText(fitted(context, across.name, side - 12), x0 + 6, y0 + 5);
      hit({ x: x0, y: y0, w: side, h: high, text: () => `${across.name}\n${short(new Set(rows.map((row) => across.values[row])).size)} values${across.numeric ? `\n${short(scales[i].low)} to ${short(scales[i].high)}` : ""}` });
      return;
    }
    const path = (one) => {
      const share = [scales[i].of(across.values[rows[one]]), scales[j].of(up.values[rows[one]])];
      if (!share.every(Number.isFinite)) return;
      context.beginPath(); context.arc(at(share[0], x0, side), at(1 - share[1], y0, high), radius, 0, 7);
      if (done[one]) context.fill(); else context.stroke();
    };
    context.fillStyle = colour("c0"); context.strokeStyle = colour("c1"); context.globalAlpha = rows.length > 1000 ? 0.5 : 0.85;
    rows.forEach((_, one) => path(one));
    context.globalAlpha = 1;
  }));
  const numeric = shown.map((column, n) => [column, scales[n]]).filter(([column]) => column.numeric);
  const missing = done.filter((one) => !one).length;
  const sentences = [`${short(rows.length)} points${missing ? `, of which ${short(missing)} (rings) have no result` : ""}.`];
  if (numeric.length > 1 && rows.length > 2 && rows.length <= MOST_COMPARED) {
    const points = rows.map((row) => numeric.map(([column, axis]) => axis.of(column.values[row]))).filter((point) => point.every(Number.isFinite));
    if (points.length > 2) sentences.push(`Unevenness ${brief(unevenness(points).ratio)} (independent random points: 1; centred L2 discrepancy of the numeric inputs).`);
  }
  if (axes.length > MOST_SIDES) sentences.push(`The first ${MOST_SIDES} of ${axes.length} inputs.`);
  note.textContent = sentences.join(" ");
}
