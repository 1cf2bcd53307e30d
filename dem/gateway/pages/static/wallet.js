// The key of a member: made or brought here, kept in this browser under a passphrase or a passkey, and used to sign.
// Nothing but signatures leaves the browser.
import { keccak_256, secp256k1 } from "/static/noble.js";

const KEPT = "dem-key";
const ROUNDS = 600000;
const bytes = new TextEncoder();
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
export const find = (id) => document.getElementById(id);
export const hex = (array) => Array.from(array, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const unhex = (text) => Uint8Array.from(text.replace(/^0x/, "").match(/../g) || [], (pair) => parseInt(pair, 16));
export const say = (name, more = "") => {
  find("told").textContent = `${document.querySelector(`[data-say=${name}]`).textContent} ${more}`.trim();
  find("told").hidden = false;
};

// A power, kW, as Wh in a period: rounded down.
export const perPeriod = (text, seconds) => `${Math.floor((Number(text.replace(",", ".")) * 1000 * seconds) / 3600)}`;

// ------------------------------------------------------------------------------------------------------------ keys

export function accountOf(key) {
  const plain = hex(keccak_256(secp256k1.getPublicKey(key, false).slice(1)).slice(12));
  const mask = hex(keccak_256(bytes.encode(plain))); // EIP-55
  return `0x${Array.from(plain, (digit, n) => (parseInt(mask[n], 16) > 7 ? digit.toUpperCase() : digit)).join("")}`;
}

async function lock(passphrase, salt) {
  const from = await crypto.subtle.importKey("raw", bytes.encode(passphrase.normalize()), "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", iterations: ROUNDS, salt };
  return crypto.subtle.deriveKey(how, from, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

// A key of these digits, or a new one; null if they are none. A recovery sheet has spaces between them.
export function keyOf(text) {
  const key = text ? unhex(text.replace(/\s/g, "")) : secp256k1.utils.randomSecretKey();
  return secp256k1.utils.isValidSecretKey(key) ? key : null;
}

const random = (count) => crypto.getRandomValues(new Uint8Array(count));

async function seal(key, locked, salt, more) {
  const iv = random(12);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, locked, key);
  const kept = { account: accountOf(key), salt: hex(salt), iv: hex(iv), sealed: hex(new Uint8Array(sealed)), ...more };
  localStorage.setItem(KEPT, JSON.stringify(kept));
}

export async function keep(key, passphrase) {
  const salt = random(16);
  await seal(key, await lock(passphrase, salt), salt, {});
}

const kept = () => JSON.parse(localStorage.getItem(KEPT) || "null");
// The account whose key is in this browser, or null.
export const keptAccount = () => kept()?.account || null;
export const byPasskey = () => Boolean(kept()?.passkey);

// The key, or null if the passphrase, or the passkey, does not open it.
export async function open(passphrase) {
  const found = kept();
  const salt = unhex(found.salt);
  const secret = found.passkey ? await secretOf(unhex(found.passkey), salt) : null;
  if (found.passkey && !secret) return null;
  const locked = secret ? await lockBy(secret) : await lock(passphrase, salt);
  const how = { name: "AES-GCM", iv: unhex(found.iv) };
  return crypto.subtle.decrypt(how, locked, unhex(found.sealed)).then((key) => new Uint8Array(key), () => null);
}

// Whether a passphrase is asked for in a field.
export function askPassphrase(isAsked, field = find("passphrase")) {
  field.parentElement.hidden = !isAsked;
  field.required = isAsked;
}

// --------------------------------------------------------------------------------- a passkey instead of a passphrase
// WebAuthn with the extension PRF: of a salt, a passkey makes the same secret again and again, and nobody else does.

// An address of numbers can have none.
export const hasPasskeys = Boolean(window.PublicKeyCredential) && isSecureContext && !/^[\d.]+$|:/.test(location.hostname);

async function lockBy(secret) {
  const from = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  const how = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: bytes.encode("DEM key") };
  return crypto.subtle.deriveKey(how, from, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

const evaluate = (salt) => ({ prf: { eval: { first: salt } } });
const secretIn = (credential) => credential?.getClientExtensionResults().prf?.results?.first || null;

// What a passkey makes of a salt; null if it is not there, or nobody confirms.
async function secretOf(id, salt) {
  const allowCredentials = [{ type: "public-key", id }];
  const publicKey = { challenge: random(32), allowCredentials, userVerification: "required", extensions: evaluate(salt) };
  return secretIn(await navigator.credentials.get({ publicKey }).catch(() => null));
}

// Keep a key under a new passkey; whether that went.
export async function keepByPasskey(key, market) {
  const [salt, name] = [random(32), accountOf(key)];
  const made = await navigator.credentials.create({
    publicKey: {
      rp: { name: market },
      user: { id: random(16), name, displayName: name },
      challenge: random(32), // nobody but this page asks it anything
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -257 }],
      authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
      extensions: evaluate(salt),
    },
  }).catch(() => null);
  if (!made) return false;
  const id = new Uint8Array(made.rawId);
  const secret = secretIn(made) || (made.getClientExtensionResults().prf?.enabled ? await secretOf(id, salt) : null);
  if (!secret) return false;
  await seal(key, await lockBy(secret), salt, { passkey: hex(id) });
  return true;
}

// -------------------------------------------------------------------------------------------------------- signatures

function sign(digest, key) {
  const signature = secp256k1.sign(digest, key, { prehash: false, format: "recovered" }); // the recovery bit comes first
  return `0x${hex(signature.slice(1))}${hex([27 + signature[0]])}`;
}

export function signText(text, key) { // EIP-191
  const own = bytes.encode(text);
  return sign(keccak_256(join(bytes.encode(`\x19Ethereum Signed Message:\n${own.length}`), own)), key);
}

const DOMAIN = ["string name", "string version", "uint256 chainId", "address verifyingContract"];
const word = (number) => unhex(BigInt.asUintN(256, BigInt(number)).toString(16).padStart(64, "0")); // two's complement
const hashed = (text) => keccak_256(bytes.encode(text));

function encoded(type, value) {
  if (type === "bytes32[]") return keccak_256(join(...value.map(unhex)));
  if (type === "bytes") return keccak_256(unhex(value));
  if (type === "bytes32") return unhex(value);
  if (type === "bool") return word(value ? 1 : 0);
  return word(value); // numbers, and addresses as such
}

// What is signed of a message (EIP-712); its fields as an envelope has them. market: as /v1/market tells it.
export function digestOf(market, contract, type, message) {
  const fields = market.types[type].map((field) => field.split(" "));
  const values = fields.map(([kind, name]) => encoded(kind, message[name]));
  const struct = keccak_256(join(hashed(`${type}(${market.types[type].join(",")})`), ...values));
  const domain = keccak_256(join(
    hashed(`EIP712Domain(${DOMAIN.join(",")})`), hashed("DEM"), hashed("1"),
    word(market.chain), word(market.contracts[contract]),
  ));
  return keccak_256(join([0x19, 0x01], domain, struct));
}

function sealed(market, contract, type, message, digest, signature) {
  const about = { v: market.protocol, chain: market.chain, contract: market.contracts[contract], type, message };
  return { ...about, signature, id: `0x${hex(digest)}` };
}

// The envelope of a message, signed for a contract of the market.
export function envelope(market, contract, type, message, key) {
  const digest = digestOf(market, contract, type, message);
  return sealed(market, contract, type, message, digest, sign(digest, key));
}

// --------------------------------------------------------------------------------------- a wallet instead (EIP-1193)

export const wallet = window.ethereum;
export const walletAccount = async () => (await wallet.request({ method: "eth_requestAccounts" }))[0];
export const walletSignsText = (account) => (text) => wallet.request({ method: "personal_sign", params: [text, account] });

export async function walletEnvelope(market, contract, type, message, account) {
  const fields = (all) => all.map((one) => ({ type: one.split(" ")[0], name: one.split(" ")[1] }));
  const asked = {
    types: { EIP712Domain: fields(DOMAIN), [type]: fields(market.types[type]) },
    primaryType: type,
    domain: { name: "DEM", version: "1", chainId: market.chain, verifyingContract: market.contracts[contract] },
    message,
  };
  const signature = await wallet.request({ method: "eth_signTypedData_v4", params: [account, JSON.stringify(asked)] });
  return sealed(market, contract, type, message, digestOf(market, contract, type, message), signature.toLowerCase());
}

// ------------------------------------------------------------------------- transactions: approvals of the council alone

const shortest = (number) => {
  const digits = BigInt(number).toString(16);
  return digits === "0" ? new Uint8Array() : unhex(digits.padStart(digits.length + (digits.length % 2), "0"));
};

const head = (length, offset) => {
  const long = shortest(length);
  return length < 56 ? [offset + length] : [offset + 55 + long.length, ...long];
};

// RLP of bytes, or of a list of such.
function rlp(value) {
  if (Array.isArray(value)) {
    const body = join(...value.map(rlp));
    return join(head(body.length, 0xc0), body);
  }
  return value.length === 1 && value[0] < 0x80 ? value : join(head(value.length, 0x80), value);
}

const approves = (number) => join(hashed("approve(uint256)").slice(0, 4), word(number));

// An approval of a proposal, signed. terms: number of the account's next transaction, what it may use, and pay for that.
export function approval(market, number, terms, key) {
  const fees = terms.fee === null ? [0] : [0, terms.fee];
  const numbers = [market.chain, terms.nonce, ...fees, terms.gas].map(shortest);
  const fields = [...numbers, unhex(market.contracts.Council), new Uint8Array(), approves(number), []];
  const type = [terms.fee === null ? 1 : 2];
  const digest = keccak_256(join(type, rlp(fields)));
  const made = secp256k1.sign(digest, key, { prehash: false, format: "recovered" }); // the recovery bit comes first
  const trimmed = (part) => shortest(`0x${hex(part)}`);
  const sealed_ = [...fields, shortest(made[0]), trimmed(made.slice(1, 33)), trimmed(made.slice(33))];
  return `0x${hex(join(type, rlp(sealed_)))}`;
}

export const walletSends = (market, number, account) => wallet.request({
  method: "eth_sendTransaction",
  params: [{ from: account, to: market.contracts.Council, data: `0x${hex(approves(number))}` }],
});

// Of a message that takes the place of earlier ones: hundredths of a second, of which 40 bits last until 2318.
export const sequence = () => Math.floor(Date.now() / 10);

// --------------------------------------------------------------------------------------------------------- gateway

export const market = async () => (await fetch("/v1/market")).json();

// Bring envelopes; why the first of them that was refused was, or null.
export async function bring(envelopes) {
  const body = envelopes.map((one) => JSON.stringify(one)).join("\n");
  const headers = { "content-type": "application/x-ndjson" };
  const answer = await fetch("/v1/messages:batch", { method: "POST", headers, body });
  const told = await answer.json();
  return answer.ok ? told.find((one) => one.problem)?.problem.detail || null : told.detail;
}

// Begin a session; why it was refused, or the member's number, 0 of who is none.
export async function logIn(account, signed) {
  const asked = await fetch(`/v1/login?account=${account}`);
  const { message, detail } = await asked.json();
  if (!asked.ok) return { detail };
  const body = JSON.stringify({ message, signature: await signed(message) });
  return (await fetch("/session", { method: "POST", headers: { "content-type": "application/json" }, body })).json();
}
