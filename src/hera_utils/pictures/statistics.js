"use strict";
// What the points of a sweep say about an output: which inputs matter, and how evenly the points cover the space. Pure: arrays in,
// numbers out; tests compare them with closed forms and with scipy.

const FEWEST_PAIRS = 8;

const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;

/** Of the mean of some values; null of a single one. */
function standardError(values) {
  const middle = mean(values), squares = values.reduce((total, value) => total + (value - middle) ** 2, 0);
  return values.length > 1 ? Math.sqrt(squares / (values.length - 1) / values.length) : null;
}

/** Each value's place in the order, from 1; equal values share the mean of their places. */
function ranks(values) {
  const order = values.map((_, n) => n).sort((a, b) => values[a] - values[b]), placed = new Array(values.length);
  for (let from = 0, to; from < order.length; from = to) {
    for (to = from + 1; to < order.length && values[order[to]] === values[order[from]];) to += 1;
    for (let n = from; n < to; n += 1) placed[order[n]] = (from + 1 + to) / 2;
  }
  return placed;
}

function correlation(xs, ys) {
  const x0 = mean(xs), y0 = mean(ys);
  let both = 0, ofX = 0, ofY = 0;
  xs.forEach((x, n) => { both += (x - x0) * (ys[n] - y0); ofX += (x - x0) ** 2; ofY += (ys[n] - y0) ** 2; });
  return ofX && ofY ? both / Math.sqrt(ofX * ofY) : 0;
}

/** Spearman's rank correlation of two lists of numbers, -1 to 1. */
const rankCorrelation = (xs, ys) => correlation(ranks(xs), ranks(ys));

/** For an input of texts: the root of the share of the ranks' variance that lies between its values, 0 to 1. */
function rankRatio(names, ys) {
  const placed = ranks(ys), middle = mean(placed), groups = groupsOf(names);
  const whole = placed.reduce((total, rank) => total + (rank - middle) ** 2, 0);
  const between = groups.reduce((total, group) => total + group.length * (mean(group.map((n) => placed[n])) - middle) ** 2, 0);
  return whole ? Math.sqrt(between / whole) : 0;
}

/** The indices that have the same key, group by group. */
function groupsOf(keys) {
  const groups = new Map();
  keys.forEach((key, n) => { if (groups.has(key)) groups.get(key).push(n); else groups.set(key, [n]); });
  return [...groups.values()];
}

/** Sobol indices of y for inputs (columns of values), where the design allows them: {design, first, total, pairs}, else null. */
function sobolIndices(inputs, ys) {
  const variance = mean(ys.map((y) => y * y)) - mean(ys) ** 2;
  if (!(variance > 0) || inputs.length < 2) return null;
  return ofGrid(inputs, ys, variance) || ofPairs(inputs, ys, variance);
}

/** A full grid, each combination once: the decomposition of the variance is exact for it. */
function ofGrid(inputs, ys, variance) {
  const cells = inputs.reduce((product, input) => product * new Set(input).size, 1);
  if (cells !== ys.length || new Set(keysWithout(inputs, -1)).size !== cells || inputs.some((input) => new Set(input).size < 2)) return null;
  const middle = mean(ys);
  const first = inputs.map((input) => groupsOf(input).reduce((sum, group) => sum + group.length * (mean(group.map((n) => ys[n])) - middle) ** 2, 0) / ys.length / variance);
  const total = inputs.map((_, i) => groupsOf(keysWithout(inputs, i)).reduce((sum, group) => {
    const own = mean(group.map((n) => ys[n]));
    return sum + group.reduce((part, n) => part + (ys[n] - own) ** 2, 0);
  }, 0) / ys.length / variance);
  return { design: "grid", first, total, pairs: null };
}

/**
 * A design of Saltelli's kind, in whatever order and as far as it is computed. Points that differ in one input alone tell its total index
 * (Jansen 1999), points that share one input and nothing else its first-order index (their correlation: Janon et al. 2014).
 */
function ofPairs(inputs, ys, variance) {
  const numbers = inputs.every((input) => input.every((value) => typeof value === "number"));
  // In a grid or a sample of few values, pairs of this kind come about by chance or by a filter.
  if (!numbers || inputs.some((input) => groupsOf(input).some((group) => group.length > inputs.length + 1))) return null;
  const pairs = inputs.map(() => ({ total: [], first: [] }));
  inputs.forEach((input, i) => {
    for (const group of groupsOf(keysWithout(inputs, i))) for (let n = 1; n < group.length; n += 1) pairs[i].total.push([ys[group[n - 1]], ys[group[n]]]);
    for (const group of groupsOf(input)) group.forEach((one, n) => group.slice(n + 1).forEach((other) => {
      if (inputs.every((values, k) => k === i || values[one] !== values[other])) pairs[i].first.push([ys[one], ys[other]]);
    }));
  });
  if (pairs.some((one) => one.total.length < FEWEST_PAIRS || one.first.length < FEWEST_PAIRS)) return null;
  return {
    design: "pairs",
    first: pairs.map((one) => correlationOfPairs(one.first)),
    total: pairs.map((one) => mean(one.total.map(([a, b]) => (a - b) ** 2)) / 2 / variance),
    pairs: pairs.map((one) => Math.min(one.first.length, one.total.length)),
  };
}

/** How alike the two of a pair are; which of them comes first does not count. */
function correlationOfPairs(pairs) {
  const middle = mean(pairs.map(([a, b]) => (a + b) / 2));
  const spread = mean(pairs.map(([a, b]) => (a * a + b * b) / 2)) - middle ** 2;
  return spread > 0 ? (mean(pairs.map(([a, b]) => a * b)) - middle ** 2) / spread : 0;
}

/** For each point a text of all its inputs but one. */
const keysWithout = (inputs, left) => inputs[0].map((_, n) => inputs.map((input, i) => (i === left ? "" : String(input[n]))).join("\u0001"));

/** The importance of each input for y, the most important first. columns: {name, numeric, values}. */
function importance(columns, ys) {
  const indices = sobolIndices(columns.map((column) => column.values), ys);
  const rows = columns.map((column, i) => ({
    name: column.name,
    rank: column.numeric ? rankCorrelation(column.values, ys) : rankRatio(column.values, ys),
    signed: column.numeric,
    first: indices && indices.first[i], total: indices && indices.total[i], pairs: indices && indices.pairs && indices.pairs[i],
  }));
  rows.sort((a, b) => (indices ? b.total - a.total : Math.abs(b.rank) - Math.abs(a.rank)));
  return { design: indices && indices.design, rows };
}

/**
 * The same where some columns repeat the points (isSeed). A seed is no input: its number means nothing, so it has no rank correlation. Its
 * Sobol index is the share of chance, and comes last. chance: a sentence on it.
 */
function importanceBesideChance(columns, ys) {
  const inputs = columns.filter((column) => !isSeed(column.name));
  if (!inputs.length || inputs.length === columns.length) return { ...importance(columns, ys), chance: "" };
  const all = importance(columns, ys);
  if (all.design === null) return { ...importance(inputs, ys), chance: "" };
  const ofChance = (row) => isSeed(row.name);
  const rows = [...all.rows.filter((row) => !ofChance(row)), ...all.rows.filter(ofChance).map((row) => ({ ...row, name: `chance (${row.name})`, rank: null }))];
  return { ...all, rows, chance: " The total of chance is the share of what changes from one repetition to the next." };
}

/**
 * The centred L2 discrepancy of points in the unit cube (Hickernell 1998), squared, over what it is on average for as many independent
 * points: below 1 they cover the space more evenly than chance, above 1 less.
 */
function unevenness(points) {
  const count = points.length, size = points[0].length;
  const near = (x) => Math.abs(x - 0.5);
  const single = points.reduce((sum, point) => sum + point.reduce((product, x) => product * (1 + near(x) / 2 - near(x) ** 2 / 2), 1), 0);
  let both = 0;
  for (const one of points) for (const other of points) {
    both += one.reduce((product, x, k) => product * (1 + near(x) / 2 + near(other[k]) / 2 - Math.abs(x - other[k]) / 2), 1);
  }
  const discrepancy = (13 / 12) ** size - (2 / count) * single + both / count ** 2;
  return { discrepancy, ratio: discrepancy / (((5 / 4) ** size - (13 / 12) ** size) / count) };
}
