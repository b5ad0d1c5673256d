"use strict";
// Phases of tasks in signs and colours, seconds in words.

const MARKS = { Succeeded: "✔", Failed: "✘", Error: "✘", Running: "●", Pending: "◷", Suspended: "‖", Daemoned: "◆", Skipped: "–", Omitted: "–", Pruned: "–" };
const PHASE_COLOURS = { Succeeded: "good", Failed: "bad", Error: "bad", Running: "busy", Pending: "wait", Waiting: "wait", Suspended: "wait", Daemoned: "idle", Skipped: "idle", Omitted: "idle", Pruned: "idle" };
const phaseColour = (phase) => colour(PHASE_COLOURS[phase] || "wait");
const markOf = (phase) => MARKS[phase] || "○";

/** Seconds in words. */
function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 2 ? 2 : 1))} s`;
  const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours} h ${String(minutes).padStart(2, "0")} min` : `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** What the colours of some phases mean. */
function phaseLegend(phases) {
  return phases.map((phase) => {
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = `var(--${PHASE_COLOURS[phase] || "wait"})`;
    return make("li", {}, swatch, `${markOf(phase)} ${phase}`);
  });
}
