// Closed ballots. What is signed is a commitment, the digest of an opening. The opening's salt follows from the voter's
// signature of a text, so that the same key opens the ballot later, in any browser: nothing has to be kept for it. A
// wallet might sign otherwise another time, so of what it signs a copy stays here.
import { keccak_256 } from "/static/noble.js";
import { MAKERS } from "/static/sign.js";
import { digestOf, find, hex, say, unhex } from "/static/wallet.js";

const CONTRACT = "Elections";
const { id, commitment, nominees } = find("ballot").dataset;
const copy = (market) => `dem-ballot-${market.contracts[CONTRACT]}-${id}`.toLowerCase();
const closed = (market, opening) => `0x${hex(digestOf(market, CONTRACT, "Opening", opening))}`;

// Of one ballot alone, so that what an opened one tells says nothing of one that it took the place of.
async function saltOf(market, signer, { election, sequence }) {
  const text = `Ballot ${sequence} in election ${election} of ${market.contracts[CONTRACT]} on chain ${market.chain}.\n`
    + "Sign this where you vote and nowhere else: who has the signature can find out how you vote.";
  return `0x${hex(keccak_256(unhex(await signer.text(text))))}`;
}

MAKERS.vote = async (market, signer, ballot, form) => {
  const chosen = (name) => form.querySelector(`[name=${name}]:checked`).value;
  const { election, sequence } = ballot;
  const salt = await saltOf(market, signer, ballot);
  const opening = { election, id, nominee: chosen("nominee"), salt, sequence };
  if (signer.isWallet) localStorage.setItem(copy(market), JSON.stringify(opening));
  const signed = ["Ballot", { ...ballot, commitment: closed(market, opening) }];
  return chosen("opener") === "gateway" ? [["Opening", opening], signed] : [signed];
};

MAKERS.open = MAKERS.file = async (market, signer, { election, sequence }) => {
  const kept = JSON.parse(localStorage.getItem(copy(market)) || "null");
  if (kept && closed(market, kept) === commitment) return [["Opening", kept]];
  const salt = await saltOf(market, signer, { election, sequence });
  const found = JSON.parse(nominees)
    .map((nominee) => ({ election, id, nominee, salt, sequence }))
    .find((opening) => closed(market, opening) === commitment);
  return found ? [["Opening", found]] : say("notopened");
};
