// Making a key, or bringing one, and its recovery sheet: for the pages that have these forms.
import { accountOf, find, hasPasskeys, hex, keep, keepByPasskey, keyOf, say } from "/static/wallet.js";

// then: what to do once the key is kept, and once more when its sheet is put away.
export function offerKey(then) {
  find("make").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [first, second] = ["first", "second"].map((id) => find(id).value);
    const given = find("key")?.value || "";
    if (first !== second) return say("differ");
    const key = keyOf(given);
    if (!key) return say("badkey");
    await keep(key, first);
    show(key, given);
  });
  find("passkey").hidden = !hasPasskeys;
  find("passkey").addEventListener("click", async () => {
    const given = find("key")?.value || "";
    const key = keyOf(given);
    if (!key) return say("badkey");
    if (!(await keepByPasskey(key, find("make").dataset.market))) return say("nopasskey");
    show(key, given);
  });

  function show(key, given) {
    find("make").reset();
    if (!given) {
      find("secret").textContent = hex(key).match(/.{4}/g).join(" ");
      find("of").textContent = accountOf(key);
      find("sheet").hidden = false;
    }
    say("kept");
    then();
  }
  find("print").addEventListener("click", () => print());
  find("done").addEventListener("click", () => {
    find("secret").textContent = "";
    find("sheet").hidden = true;
    find("told").hidden = true;
    then();
  });
}
