// The key of a member: made or brought here, kept in this browser under a passphrase, and used to sign a login.
// Nothing but signatures leaves the browser.
import { keccak_256, secp256k1 } from "/static/noble.js";

const KEPT = "dem-key";
const ROUNDS = 600000;
const bytes = new TextEncoder();
const find = (id) => document.getElementById(id);
const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
const say = (name, more = "") => {
  find("told").textContent = `${document.querySelector(`[data-say=${name}]`).textContent} ${more}`.trim();
  find("told").hidden = false;
};

function accountOf(key) {
  const plain = hex(keccak_256(secp256k1.getPublicKey(key, false).slice(1)).slice(12));
  const mask = hex(keccak_256(bytes.encode(plain))); // EIP-55
  return `0x${Array.from(plain, (digit, n) => (parseInt(mask[n], 16) > 7 ? digit.toUpperCase() : digit)).join("")}`;
}

async function lock(passphrase, salt) {
  const from = await crypto.subtle.importKey("raw", bytes.encode(passphrase.normalize()), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", iterations: ROUNDS, salt };
  return crypto.subtle.deriveKey(how, from, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function keep(key, passphrase) {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await lock(passphrase, salt), key);
  const kept = { account: accountOf(key), salt: hex(salt), iv: hex(iv), sealed: hex(new Uint8Array(sealed)) };
  localStorage.setItem(KEPT, JSON.stringify(kept));
}

async function open(passphrase) {
  const kept = JSON.parse(localStorage.getItem(KEPT));
  const how = { name: "AES-GCM", iv: unhex(kept.iv) };
  return new Uint8Array(await crypto.subtle.decrypt(how, await lock(passphrase, unhex(kept.salt)), unhex(kept.sealed)));
}

function signText(text, key) { // EIP-191
  const own = bytes.encode(text);
  const head = bytes.encode(`\x19Ethereum Signed Message:\n${own.length}`);
  const digest = keccak_256(new Uint8Array([...head, ...own]));
  const signature = secp256k1.sign(digest, key, { prehash: false, format: "recovered" }); // the recovery bit comes first
  return `0x${hex(signature.slice(1))}${hex([27 + signature[0]])}`;
}

async function logIn(account, sign) {
  const asked = await fetch(`/v1/login?account=${account}`);
  const { message, detail } = await asked.json();
  if (!asked.ok) return say("refused", detail);
  const body = JSON.stringify({ message, signature: await sign(message) });
  const answer = await fetch("/session", { method: "POST", headers: { "content-type": "application/json" }, body });
  const told = await answer.json();
  if (!answer.ok) return say("refused", told.detail);
  const next = find("unlock").dataset.next;
  location.assign(next !== "/" ? next : told.participant ? `/members/${told.participant}` : "/");
}

function show() {
  const kept = JSON.parse(localStorage.getItem(KEPT) || "null");
  find("unlock").hidden = !kept;
  find("keep").open = !kept;
  if (kept) find("account").value = kept.account;
}

find("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  let key;
  try {
    key = await open(find("passphrase").value);
  } catch {
    return say("wrong");
  }
  await logIn(accountOf(key), (text) => signText(text, key));
});

find("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [given, first, second] = ["key", "first", "second"].map((id) => find(id).value);
  if (first !== second) return say("differ");
  const key = given ? unhex(given.replace(/^0x/, "")) : secp256k1.utils.randomSecretKey();
  if (!secp256k1.utils.isValidSecretKey(key)) return say("badkey");
  await keep(key, first);
  find("make").reset();
  if (!given) {
    find("secret").textContent = hex(key);
    find("sheet").hidden = false;
  }
  say("kept");
  show();
});

find("print").addEventListener("click", () => print());
find("done").addEventListener("click", () => {
  find("secret").textContent = "";
  find("sheet").hidden = true;
});

if (window.ethereum) {
  find("wallet").hidden = false;
  find("wallet").addEventListener("click", async () => {
    const [account] = await window.ethereum.request({ method: "eth_requestAccounts" });
    const text = (message) => window.ethereum.request({ method: "personal_sign", params: [message, account] });
    await logIn(account, text);
  });
}
show();
