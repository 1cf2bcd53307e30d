// Standing limits: a sheet of orders for each of the coming days, signed here at once.
import {
  askPassphrase, bring, byPasskey, envelope, find, keptAccount, market, open, say, sequence, wallet, walletAccount, walletEnvelope,
} from "/static/wallet.js";
import { isTick, priceOf, tickDown, tickUp } from "/static/prices.js";

const LANES = 6;
const TYPED = ["buy", "sell"];
const terms = JSON.parse(find("limits").dataset.terms);
const WISHES = `dem-limits-${terms.account}`;
const byWallet = keptAccount() !== terms.account && Boolean(wallet);
const own = () => document.querySelector("[name=kind]:checked").value === "own";

// What is expected of a day, Wh by slot: as the meter showed, or what the member says, the same in all periods.
function expected() {
  if (terms.expected) return terms.expected;
  const wh = Math.floor(Number(find("use").value.replace(",", ".")) * 1000);
  return Array(terms.periods).fill(Math.floor(wh / terms.periods)).map((each, slot) => each + (slot < wh % terms.periods ? 1 : 0));
}

// The order of one period as a lane, 0 if there is none. A limit is never worse than the tariff, fees included.
function lane(net, told, limits) {
  const isAsk = net < 0;
  const energy = Math.min(Math.abs(net), isAsk ? terms.export : terms.import);
  const tick = isAsk ? tickUp(terms.scale, Math.max(told[1], limits.sell) + told[2])
    : tickDown(terms.scale, Math.min(told[0], limits.buy) - told[2]);
  if (energy < terms.least || !isTick(terms.scale, tick)) return 0n;
  return (isAsk ? 1n : 0n) << 39n | BigInt(tick) << 27n | BigInt(energy);
}

function sheet(one, number, limits) { // without limits: no orders
  const energies = limits ? expected() : [];
  const told = terms.tariffs[one.tariffs];
  const lines = Array.from({ length: terms.periods / LANES }, (_, line) => {
    let word = BigInt(one.day) << 240n;
    for (let k = 0; limits && k < LANES; k++) {
      word |= lane(energies[line * LANES + k], told[line * LANES + k], limits) << BigInt(40 * k);
    }
    return `0x${word.toString(16).padStart(64, "0")}`;
  });
  return { participant: terms.account, day: `${one.day}`, firstLine: "0", sequence: `${number}`, lines };
}

// The limits of the form, units/Wh: without own ones the tariffs alone hold.
function limits() {
  const none = { buy: Infinity, sell: -Infinity };
  if (!own()) return none;
  const [buy, sell] = TYPED.map((id) => find(id).value.trim());
  const found = { buy: buy ? priceOf(buy) : none.buy, sell: sell ? priceOf(sell) : none.sell };
  return found.buy === null || found.sell === null ? null : found;
}

// A key signs for all days. A wallet asks for each, so it signs for as many as were chosen; a pause for those that are signed.
function chosen(isPause) {
  if (!byWallet) return terms.days;
  const signed = find("limits").dataset.signed.split(" ");
  const there = terms.days.filter((one) => signed.includes(`${one.day}`));
  return isPause && there.length ? there : terms.days.slice(0, Number(find("count").value));
}

// Envelopes of the sheets, or null. Who stops a wallet on the way has signed for the days before.
async function sealed(about, sheets) {
  if (!byWallet) {
    const key = await open(find("passphrase").value);
    if (!key) return say("wrong");
    return sheets.map((one) => envelope(about, "CallAuction", "OrderSheet", one, key));
  }
  if ((await walletAccount()) !== terms.account) return say("otherwallet");
  const made = [];
  for (const one of sheets) {
    say("signing", `${made.length + 1} / ${sheets.length}`);
    try {
      made.push(await walletEnvelope(about, "CallAuction", "OrderSheet", one, terms.account));
    } catch (error) {
      if (!made.length) return say("refused", error.message);
      break;
    }
  }
  return made;
}

find("limits").addEventListener("submit", async (event) => {
  event.preventDefault();
  const isPause = event.submitter.value === "pause";
  const wanted = isPause ? undefined : limits();
  if (wanted === null) return say("badprice");
  say("signing");
  const [about, number] = [await market(), sequence()];
  const made = await sealed(about, chosen(isPause).map((one) => sheet(one, number, wanted)));
  if (!made) return undefined;
  const refused = await bring(made);
  if (refused) return say("refused", refused);
  localStorage.setItem(WISHES, JSON.stringify(Object.fromEntries([["own", own()], ...TYPED.map((id) => [id, find(id).value])])));
  location.assign(`${location.pathname}?signed=${isPause ? "pause" : "limits"}`);
});

// What was wished last, so that who signs again for more days does not lose it.
function recall() {
  const wishes = JSON.parse(localStorage.getItem(WISHES) || "null");
  if (!wishes) return;
  document.querySelector(`[name=kind][value=${wishes.own ? "own" : "tariffs"}]`).checked = true;
  for (const id of TYPED) find(id).value = wishes[id];
}

function show() {
  askPassphrase(!byWallet && !byPasskey());
  find("owned").hidden = !own();
  find("counted").hidden = !byWallet;
  find("all").hidden = byWallet;
  find("some").hidden = !byWallet;
  find("limits").hidden = keptAccount() !== terms.account && !wallet;
  find("elsewhere").hidden = !find("limits").hidden;
}

document.querySelectorAll("[name=kind]").forEach((one) => one.addEventListener("change", show));
recall();
show();
