// Approvals of the council: a seat signs the transaction itself, by the key of this browser or by a wallet with its own node.
import {
  approval, askPassphrase, byPasskey, find, keptAccount, market, open, say, wallet, walletAccount, walletSends,
} from "/static/wallet.js";

const terms = JSON.parse(find("terms").dataset.terms);

// A key in this browser signs, and the gateway passes it on; why it did not, or null.
async function byKey(about, number, passphrase) {
  const key = await open(passphrase);
  if (!key) return say("wrong");
  const body = JSON.stringify({ transaction: approval(about, number, terms, key) });
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/v1/council/approvals", { method: "POST", headers, body });
  if (!answer.ok) return say("refused", (await answer.json()).detail);
  return location.assign("/proposals?sent=1");
}

async function byWallet(about, number, account) {
  if ((await walletAccount()) !== account) return say("otherwallet");
  if (parseInt(await wallet.request({ method: "eth_chainId" }), 16) !== about.chain) return say("otherchain");
  try {
    await walletSends(about, number, account);
  } catch (error) {
    return say("refused", error.message);
  }
  return location.assign("/proposals?sent=1");
}

for (const form of document.querySelectorAll("form.approves")) {
  const { account, proposal } = form.dataset;
  const isHere = keptAccount() === account && terms.nonce !== undefined;
  form.hidden = !isHere && !wallet;
  find("elsewhere").hidden = !form.hidden;
  const passphrase = form.querySelector("[type=password]");
  askPassphrase(isHere && !byPasskey(), passphrase);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("signing");
    const about = await market();
    await (isHere ? byKey(about, proposal, passphrase.value) : byWallet(about, proposal, account));
  });
}
