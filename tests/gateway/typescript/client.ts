// A client of the gateway in another language: what it has to do before it can bring a message, and no more.
// It signs with the key of an account (EIP-712), and puts the message into the envelope of docs/guide/gateway.md.
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";

export type Value = string | boolean | string[];
export interface Market {
  protocol: string;
  chain: number;
  contracts: Record<string, string>;
  types: Record<string, string[]>; // "uint32 day", ... as /v1/market tells them
}
export interface Order {
  layer: number;
  slot: number;
  isAsk: boolean;
  tick: number;
  energyWh: number;
}
export interface Envelope {
  v: string;
  chain: number;
  contract: string;
  type: string;
  message: Record<string, Value>;
  signature: string;
  id: string;
}

const text = new TextEncoder();
const LANES = 6, LANE_BITS = 40n, DAY_SHIFT = 240n;

const hex = (data: Uint8Array): string => `0x${Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
const unhex = (digits: string): Uint8Array =>
  Uint8Array.from(digits.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const hashOf = (words: string): Uint8Array => keccak_256(text.encode(words));
const digits = (number: bigint): string => `0x${number.toString(16).padStart(64, "0")}`;
const word = (number: bigint): Uint8Array => unhex(digits(BigInt.asUintN(256, number)));

// The words of a sheet: six orders each, lane by lane from the lowest bits on, and the day in the highest 16.
export function linesOf(orders: Order[], day: number, periodsPerDay: number): string[] {
  const words = new Map<number, bigint>();
  for (const { layer, slot, isAsk, tick, energyWh } of orders) {
    const line = layer * (periodsPerDay / LANES) + Math.floor(slot / LANES);
    const lane = (isAsk ? 1n << 39n : 0n) | (BigInt(tick) << 27n) | BigInt(energyWh);
    const before = words.get(line) ?? BigInt(day) << DAY_SHIFT;
    words.set(line, before | (lane << (LANE_BITS * BigInt(slot % LANES))));
  }
  return [...words.entries()].sort(([one], [other]) => one - other).map(([, found]) => digits(found));
}

// What a meter signs: import and export registers, eight bytes each, the opening ones first.
export const registersOf = (registers: [number, number][]): string =>
  `0x${registers.flat().map((energy) => BigInt(energy).toString(16).padStart(16, "0")).join("")}`;

function encoded(type: string, value: Value): Uint8Array {
  if (Array.isArray(value)) return keccak_256(join(...value.map(unhex)));
  if (typeof value === "boolean") return word(value ? 1n : 0n);
  if (type === "bytes") return keccak_256(unhex(value));
  return type === "bytes32" ? unhex(value) : word(BigInt(value)); // numbers, and addresses as such
}

export function digestOf(market: Market, contract: string, type: string, message: Record<string, Value>): Uint8Array {
  const fields = market.types[type];
  const values = fields.map((field) => field.split(" ")).map(([kind, name]) => encoded(kind, message[name]));
  const domain = keccak_256(join(
    hashOf("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
    hashOf("DEM"), hashOf("1"), word(BigInt(market.chain)), word(BigInt(market.contracts[contract])),
  ));
  const struct = keccak_256(join(hashOf(`${type}(${fields.join(",")})`), ...values));
  return keccak_256(join(Uint8Array.of(0x19, 0x01), domain, struct));
}

function sign(digest: Uint8Array, key: Uint8Array): string {
  const signature = secp256k1.sign(digest, key, { prehash: false, format: "recovered" }); // the recovery bit comes first
  return hex(join(signature.slice(1), Uint8Array.of(27 + signature[0])));
}

// The text of a login (EIP-4361), signed as wallets sign texts (EIP-191).
export function signText(words: string, key: Uint8Array): string {
  const own = text.encode(words);
  return sign(keccak_256(join(text.encode(`\x19Ethereum Signed Message:\n${own.length}`), own)), key);
}

export function envelope(
  market: Market, contract: string, type: string, message: Record<string, Value>, key: Uint8Array,
): Envelope {
  const digest = digestOf(market, contract, type, message);
  return {
    v: market.protocol, chain: market.chain, contract: market.contracts[contract], type, message,
    signature: sign(digest, key), id: hex(digest),
  };
}
