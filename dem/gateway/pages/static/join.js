// Taking part: a key, then an application that it signs, then a login.
import { keccak_256 } from "/static/noble.js";
import { offerKey } from "/static/sheet.js";
import {
  accountOf, askPassphrase, bring, byPasskey, envelope, find, hex, keptAccount, logIn, market, open, perPeriod, say, signText, wallet,
  walletAccount, walletEnvelope, walletSignsText,
} from "/static/wallet.js";

const KINDS = { consumer: "6", prosumer: "7" };
const PAPERS = "dem-papers";
const kind = () => document.querySelector("[name=kind]:checked").value;
const none = "0".repeat(64);
let ofWallet = ""; // the account, if a wallet signs

// The hash of a paper behind 32 random bytes, so that nobody can find out which it is by trying. Both stay here.
async function papers(file) {
  if (!file) return none;
  const salt = crypto.getRandomValues(new Uint8Array(32));
  const found = hex(keccak_256(new Uint8Array([...salt, ...new Uint8Array(await file.arrayBuffer())])));
  localStorage.setItem(PAPERS, JSON.stringify({ name: file.name, salt: hex(salt), hash: found }));
  return found;
}

const words = new TextEncoder();

async function application(about, account) {
  const feeder = words.encode(find("feeder").value.trim());
  const seconds = about.calendar.period_length;
  return {
    account,
    meter: find("meter").value.trim(),
    kind: KINDS[kind()],
    importCapacity: perPeriod(find("import").value, seconds),
    exportCapacity: kind() === "prosumer" ? perPeriod(find("export").value, seconds) : "0",
    feeder: `0x${hex(feeder).padEnd(64, "0")}`,
    documents: `0x${await papers(find("papers").files[0])}`,
  };
}

function show() {
  const account = ofWallet || keptAccount();
  const isPrinted = find("sheet").hidden;
  find("make").hidden = Boolean(account);
  find("has").hidden = !account || !isPrinted;
  find("apply").hidden = !account || !isPrinted;
  find("exports").hidden = kind() !== "prosumer";
  find("export").required = kind() === "prosumer";
  find("account").textContent = account || "";
  find("wallet").hidden = !wallet || Boolean(account);
  askPassphrase(!ofWallet && !byPasskey());
}

// Sign, send and log in; why it was refused.
async function apply(account, seal, signed) {
  const about = await market();
  const refused = await bring([await seal(about, await application(about, account))]);
  return refused || (await logIn(account, signed)).detail;
}

find("apply").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (words.encode(find("feeder").value.trim()).length > 32) return say("longfeeder");
  say("signing");
  let refused;
  if (ofWallet) {
    const seal = (about, message) => walletEnvelope(about, "ParticipantRegistry", "Application", message, ofWallet);
    refused = await apply(ofWallet, seal, walletSignsText(ofWallet));
  } else {
    const key = await open(find("passphrase").value);
    if (!key) return say("wrong");
    const seal = (about, message) => envelope(about, "ParticipantRegistry", "Application", message, key);
    refused = await apply(accountOf(key), seal, (text) => signText(text, key));
  }
  if (refused) return say("refused", refused);
  location.assign("/admission");
});

find("wallet").addEventListener("click", async () => {
  ofWallet = await walletAccount();
  show();
});
document.querySelectorAll("[name=kind]").forEach((one) => one.addEventListener("change", show));
offerKey(show);
show();
