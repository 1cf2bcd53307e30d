// Works out anew what the vectors on standard input expect, a line each.
import { envelope, linesOf, registersOf, signText, type Market, type Order, type Value } from "./client";

interface Case {
  key: string;
  text?: string;
  market: Market;
  contract: string;
  type: string;
  message: Record<string, Value>;
  orders?: { day: number; periods: number; orders: Order[] };
  registers?: [number, number][];
}

let input = "";
process.stdin.on("data", (chunk) => { input += chunk; });
process.stdin.on("end", () => {
  for (const one of JSON.parse(input) as Case[]) {
    const key = Uint8Array.from(one.key.slice(2).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    if (one.text !== undefined) {
      console.log(signText(one.text, key));
      continue;
    }
    const message = { ...one.message };
    if (one.orders) message.lines = linesOf(one.orders.orders, one.orders.day, one.orders.periods);
    if (one.registers) message.registers = registersOf(one.registers);
    console.log(JSON.stringify(envelope(one.market, one.contract, one.type, message, key)));
  }
});
