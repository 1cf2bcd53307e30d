// Forms whose fields make one message: signed by the key of this browser, or by a wallet, and brought.
// data-contract, data-type: where it goes. data-file: it is not brought, but given as a file of that name, and data-given names what is said then. data-message: fields that are fixed. [data-field]: those that are entered.
import {
  askPassphrase, bring, byPasskey, envelope, find, keptAccount, market, open, say, sequence, signText, wallet, walletAccount,
  walletEnvelope, walletSignsText,
} from "/static/wallet.js";

// A number with at most so many decimals, in units of the last one; null if it is none.
const units = (value, decimals) => {
  const found = /^(\d{1,12})(?:[.,](\d+))?$/.exec(value.trim());
  const rest = (found && found[2]) || "";
  return found && rest.length <= decimals ? `${BigInt(found[1] + rest.padEnd(decimals, "0"))}` : null;
};
const AS = {
  text: (value) => value,
  money: (value) => units(value, 8),
  coins: (value) => units(value, 6),
  truth: (value) => value === "true",
  percent: (value) => `${Math.round(Number(value) * 100)}`,
};

// Where a form's fields are not its message: by the form's id, what makes the messages, each with its type. What has
// said why there are none gives none.
export const MAKERS = {};

// Who signs: a wallet, or the key of this browser; nobody, if that is not the account's, and then it is said.
async function signerOf(account, byWallet, passphrase) {
  if (byWallet) {
    if ((await walletAccount()) !== account) return say("otherwallet");
    return { isWallet: true, text: walletSignsText(account), envelope: (...about) => walletEnvelope(...about, account) };
  }
  const key = await open(passphrase);
  if (!key) return say("wrong");
  return { isWallet: false, text: (text) => signText(text, key), envelope: (...about) => envelope(...about, key) };
}

// As a file, for whom it is to be handed to.
function give(signed, name, said) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(signed)}\n`], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
  say(said);
}

for (const form of document.querySelectorAll("form.signs")) {
  const { account, contract, type } = form.dataset;
  const byWallet = keptAccount() !== account && Boolean(wallet);
  form.hidden = keptAccount() !== account && !wallet;
  find("elsewhere").hidden = !form.hidden;
  const passphrase = form.querySelector("[type=password]");
  askPassphrase(!byWallet && !byPasskey(), passphrase);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const message = JSON.parse(form.dataset.message);
    for (const field of form.querySelectorAll("[data-field]")) {
      if (field.type !== "radio" || field.checked) message[field.dataset.field] = AS[field.dataset.as || "text"](field.value);
    }
    if (Object.values(message).includes(null)) return say("badamount");
    say("signing");
    const about = await market();
    if (about.types[type].includes("uint40 sequence")) message.sequence ??= `${sequence()}`;
    const signer = await signerOf(account, byWallet, passphrase.value);
    if (!signer) return;
    const made = MAKERS[form.id] ? await MAKERS[form.id](about, signer, message, form) : [[type, message]];
    if (!made) return;
    for (const [of, fields] of made) {
      const signed = await signer.envelope(about, contract, of, fields);
      if (form.dataset.file) return give(signed, form.dataset.file, form.dataset.given);
      const refused = await bring([signed]);
      if (refused) return say("refused", refused);
    }
    location.assign(`${location.pathname}?sent=1`);
  });
}
