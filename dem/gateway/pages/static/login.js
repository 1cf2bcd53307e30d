// Logging in, and putting a key into this browser.
import { accountOf, find, hex, keep, keptAccount, keyOf, logIn, open, say, signText } from "/static/wallet.js";

async function begin(account, signed) {
  const told = await logIn(account, signed);
  if (told.detail) return say("refused", told.detail);
  const next = find("unlock").dataset.next;
  location.assign(next !== "/" ? next : told.participant ? `/members/${told.participant}` : "/");
}

function show() {
  const account = keptAccount();
  find("unlock").hidden = !account;
  find("keep").open = !account;
  if (account) find("account").value = account;
}

find("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = await open(find("passphrase").value);
  if (!key) return say("wrong");
  await begin(accountOf(key), (text) => signText(text, key));
});

find("make").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [given, first, second] = ["key", "first", "second"].map((id) => find(id).value);
  if (first !== second) return say("differ");
  const key = keyOf(given);
  if (!key) return say("badkey");
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
    await begin(account, text);
  });
}
show();
