// The admission: what of the papers only this browser knows, to hand to the registrar.
import { find } from "/static/wallet.js";

const kept = JSON.parse(localStorage.getItem("dem-papers") || "null");
if (kept && `0x${kept.hash}` === find("papers").dataset.hash) {
  find("file").textContent = kept.name;
  find("salt").textContent = kept.salt;
  find("papers").hidden = false;
}
