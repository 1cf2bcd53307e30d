// Offers of contracts: what is entered becomes a proposal, which `sign.js` signs. An offer is answered by another one.
import { find, hex, perPeriod, say } from "/static/wallet.js";
import { priceOf } from "/static/prices.js";

const terms = JSON.parse(find("terms").dataset.terms);
const form = find("offer");
const chosen = (name) => form.querySelector(`[name=${name}]:checked`)?.value;
const nobody = `0x${"0".repeat(40)}`;
let answered = null; // what the offer says that is answered
let filled = ""; // the power that was filled in for it

const bits = (from, until) => (1n << BigInt(until)) - (1n << BigInt(from));
const power = (wh) => `${(wh * 3600) / terms.seconds / 1000}`;

// The fields of a proposal, or the name of the sentence that says what is wrong.
function proposal() {
  const [price, isSale] = [priceOf(find("price").value), chosen("side") === "sell"];
  if (price === null) return "badprice";
  const typed = find("power").value;
  const energy = answered && typed === filled ? answered.energy : Number(perPeriod(typed, terms.seconds));
  if (energy < 1 || energy > (isSale ? terms.export : terms.import)) return "badpower";
  const [day, count, from, until] = ["day", "count", "from", "until"].map((id) => Number(find(id).value));
  if (until <= from) return "nohours";
  const weekdays = [...form.querySelectorAll("[name=weekday]:checked")].reduce((all, one) => all | (1 << one.value), 0);
  if (!weekdays) return "noday";
  const gate = terms.opening + (day - 1) * terms.periods * terms.seconds - terms.lead;
  const stands = find("stands").value;
  return {
    proposer: form.dataset.account,
    counterparty: answered?.account || (chosen("to") === "all" ? nobody : find("counterparty").value.trim()),
    isSale,
    price: `${price}`,
    energy: `${energy}`,
    firstPeriod: `${(day - 1) * terms.periods}`,
    lastPeriod: `${(day - 1 + count) * terms.periods - 1}`,
    slots: `${bits(from, until)}`,
    weekdays: `${weekdays}`,
    expiry: `${stands ? Math.min(gate, Math.floor(Date.now() / 1000) + Number(stands)) : gate}`,
    answers: answered?.answers || `0x${"0".repeat(64)}`,
    salt: `0x${hex(crypto.getRandomValues(new Uint8Array(32)))}`,
  };
}

// Before `sign.js` looks at it.
document.addEventListener("submit", (event) => {
  if (event.target !== form) return;
  const made = proposal();
  if (typeof made !== "string") form.dataset.message = JSON.stringify(made);
  else {
    event.preventDefault();
    event.stopImmediatePropagation();
    say(made);
  }
}, true);

function show() {
  const isOne = !answered && chosen("to") === "one";
  find("answering").hidden = !answered;
  find("whom").hidden = Boolean(answered);
  find("side").disabled = Boolean(answered);
  find("counterparty").required = isOne;
  find("counterparty").disabled = !isOne;
}

for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => {
    answered = JSON.parse(button.dataset.answer);
    filled = power(answered.energy);
    form.querySelector(`[name=side][value=${answered.isSale ? "sell" : "buy"}]`).checked = true;
    const values = { price: answered.price, power: filled, day: answered.day, count: answered.days, from: answered.from, until: answered.until };
    for (const [id, value] of Object.entries(values)) find(id).value = value;
    form.querySelectorAll("[name=weekday]").forEach((one) => { one.checked = Boolean(answered.weekdays >> one.value & 1); });
    show();
    find("price").focus();
  });
}
find("afresh").addEventListener("click", () => {
  answered = null;
  form.reset();
  show();
});
form.querySelectorAll("[name=to]").forEach((one) => one.addEventListener("change", show));
show();
