// Logging in, and putting a key into this browser.
import { offerKey } from "/static/sheet.js";
import {
  accountOf, askPassphrase, byPasskey, find, keptAccount, logIn, open, say, signText, wallet, walletAccount, walletSignsText,
} from "/static/wallet.js";

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
  askPassphrase(!byPasskey());
}

find("unlock").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = await open(find("passphrase").value);
  if (!key) return say("wrong");
  await begin(accountOf(key), (text) => signText(text, key));
});

if (wallet) {
  find("wallet").hidden = false;
  find("wallet").addEventListener("click", async () => {
    const account = await walletAccount();
    await begin(account, walletSignsText(account));
  });
}
offerKey(show);
show();
