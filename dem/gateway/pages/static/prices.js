// Prices and ticks, the one place of the scripts that knows both. A scale has `lowest` (the price of tick 0) and `tick`
// (the distance of two prices) in money units/Wh, and `most`, the highest tick.

// The highest tick that is not above a price: what a buyer signs. -1 or less if there is none.
export const tickDown = (scale, price) => Math.floor((price - scale.lowest) / scale.tick);
// The lowest one that is not below it: what a seller signs. More than `most` if there is none.
export const tickUp = (scale, price) => Math.ceil((price - scale.lowest) / scale.tick);
export const isTick = (scale, tick) => tick >= 0 && tick <= scale.most;

// A price as people write it, currency/kWh with at most 5 decimals, in units/Wh; null if it is none.
export function priceOf(text) {
  const found = /^([-−]?)(\d{1,6})(?:[.,](\d{1,5}))?$/.exec(text.trim());
  if (!found) return null;
  const units = Number(found[2]) * 100000 + Number((found[3] || "").padEnd(5, "0"));
  return found[1] ? -units : units;
}
