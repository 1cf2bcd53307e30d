// The Solidity compiler of the project: .solcx/solc-v0.8.37 runs this, for ape (py-solc-x), forge and slither alike.
//   solc --version
//   solc --standard-json [--base-path P] [--include-path P]... [--allow-paths P,...] < input.json > output.json
// It runs the machine's own compiler where `make setup` found one (.solcx/native), else npm's soljson, and adds three things:
// - ape compiles a copy of contracts/ in a temporary folder, without node_modules: imports are looked up here too;
// - ape, forge and slither ask much the same, and soljson takes seconds: clean results are kept in .solcx/cache, each with
//   the digests of the files it was made of that were not in the input, and serve as long as those are unchanged;
// - soljson works on one core: several of it are asked for the code of a part of the files each, and the answers are put
//   together. Which code is asked for changes nothing about the code (`DEM_SOLC_CORES=1` asks once for all of it).
"use strict";
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const { once } = require("node:events");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { Worker, isMainThread, parentPort, workerData } = require("node:worker_threads");

const ROOT = path.dirname(__dirname);
const SOLCX = path.join(ROOT, ".solcx");
const NATIVE = path.join(SOLCX, "native");
const INCLUDE = path.join(SOLCX, "include"); // holds nothing but node_modules
const CACHE = path.join(SOLCX, "cache");
const KEPT = 60; // entries of the cache
const CORES = Number(process.env.DEM_SOLC_CORES) || os.availableParallelism();
const PARTS = 4 * CORES; // so that no core has nothing to do at the end

const digest = (text) => (text === null ? null : createHash("sha256").update(text).digest("hex"));

function valuesOf(args, option) {
  return args.flatMap((arg, i) => (arg === option ? [args[i + 1]] : []));
}

/** The text of a source by the name an import gives it, or null. */
function find(name, folders) {
  for (const folder of folders) {
    try {
      return fs.readFileSync(path.resolve(folder, name), "utf8");
    } catch {}
  }
  return null;
}

function runNative(args, input) {
  const done = spawnSync(NATIVE, args, { input, encoding: "utf8", maxBuffer: 2 ** 30, stdio: ["pipe", "pipe", "inherit"] });
  if (done.error) throw done.error;
  if (done.status) process.exit(done.status);
  return done.stdout;
}

function runSoljson(input, folders) {
  const load = (name) => {
    const contents = find(name, folders);
    return contents === null ? { error: `File not found: ${name}` } : { contents };
  };
  return require("solc").compile(input, { import: load }); // npm's own command prints a line before the JSON
}

/** What is asked of each source that has code to be made: [name, outputs by contract]. */
function asked({ sources, settings }) {
  const selection = settings?.outputSelection ?? {};
  return Object.keys(sources).map((name) => {
    const outputs = {};
    for (const [contract, list] of [...Object.entries(selection["*"] ?? {}), ...Object.entries(selection[name] ?? {})])
      outputs[contract] = [...new Set([...(outputs[contract] ?? []), ...list])];
    return [name, outputs];
  });
}

const makesCode = (outputs) => Object.values(outputs).flat().some((output) => /^(\*|ir|evm)/.test(output));

/** How much code each source makes, roughly: its length with all that it imports and reaches, without comments. */
function weights(sources, folders) {
  const texts = Object.fromEntries(
    Object.entries(sources).map(([name, source]) => [
      name,
      (source.content ?? find(name, folders) ?? "").replace(/\/\*[^]*?\*\/|\/\/.*/g, ""),
    ]),
  );
  const reached = (name, seen) => {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const [, target] of texts[name].matchAll(/^\s*import\b[^"']*["']([^"']+)["']/gm)) {
      const relative = target.startsWith(".") ? path.posix.join(path.posix.dirname(name), target) : target;
      if (relative in sources) reached(relative, seen);
    }
    return seen;
  };
  const length = (name) => (/^\s*(abstract contract|contract|library) /m.test(texts[name]) ? texts[name].length : 0);
  const isDeployable = (name) => /^\s*contract /m.test(texts[name]);
  const sum = (names) => names.reduce((all, name) => all + length(name), 0);
  return (name) => (isDeployable(name) ? length(name) + sum([...reached(name, new Set())]) : 0);
}

/** Inputs that together ask for what one asks for: each for the code of other sources. */
function parted(input, folders) {
  const wanted = asked(input);
  const weight = weights(input.sources, folders);
  const parts = Array.from({ length: PARTS }, () => ({ sum: 0, selection: {} }));
  for (const [name, outputs] of wanted.filter(([, outputs]) => !makesCode(outputs))) parts[0].selection[name] = outputs;
  const heaviestFirst = wanted.filter(([, outputs]) => makesCode(outputs)).map(([name, outputs]) => [weight(name), name, outputs]);
  for (const [heavy, name, outputs] of heaviestFirst.sort(([a], [b]) => b - a)) {
    const part = parts.reduce((least, one) => (one.sum < least.sum ? one : least));
    part.sum += heavy;
    part.selection[name] = outputs;
  }
  const useful = parts.filter(({ selection }) => Object.keys(selection).length);
  return useful.map(({ selection }) => ({ ...input, settings: { ...input.settings, outputSelection: selection } }));
}

/** One output of those of parts. */
function together(outputs) {
  const [{ errors: _, ...whole }] = outputs;
  const errors = new Map(outputs.flatMap((output) => output.errors ?? []).map((error) => [JSON.stringify(error), error]));
  if (errors.size) whole.errors = [...errors.values()];
  for (const { contracts = {}, sources = {} } of outputs) {
    whole.contracts = { ...whole.contracts, ...contracts };
    for (const [name, source] of Object.entries(sources)) whole.sources[name] = { ...whole.sources[name], ...source };
  }
  return whole;
}

/** soljson on all cores; on one where there is too little to do, or where the input does not name all it is made of. */
async function runParts(input, folders) {
  const whole = JSON.parse(input);
  const heavy = asked(whole).filter(([, outputs]) => makesCode(outputs)).length;
  if (CORES < 2 || heavy < 2 * CORES) return runSoljson(input, folders);
  const waiting = [...parted(whole, folders).entries()];
  const answers = [];
  const work = async () => {
    const worker = new Worker(__filename, { workerData: folders });
    for (let next; (next = waiting.shift()); ) {
      worker.postMessage(JSON.stringify(next[1]));
      [answers[next[0]]] = await once(worker, "message");
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: CORES }, work));
  const output = together(answers.map((answer) => JSON.parse(answer)));
  const isWhole = Object.keys(output.sources ?? {}).every((name) => name in whole.sources);
  return isWhole ? JSON.stringify(output) : runSoljson(input, folders);
}

async function compile(args, input) {
  const [base = "."] = valuesOf(args, "--base-path");
  if (path.resolve(base) !== ROOT) args = [...args, "--include-path", INCLUDE, "--allow-paths", allowed(args)];
  const folders = [base, ...valuesOf(args, "--include-path")];
  const engine = fs.existsSync(NATIVE) ? fs.realpathSync(NATIVE) : `soljson ${require("solc/package.json").version}`;
  const file = path.join(CACHE, `${digest(`${engine}\n${input}`)}.json`);
  try {
    const { output, read } = JSON.parse(fs.readFileSync(file, "utf8"));
    if (Object.entries(read).every(([name, was]) => digest(find(name, folders)) === was)) {
      fs.utimesSync(file, new Date(), new Date());
      return output;
    }
  } catch {} // no entry, or a damaged one

  const output = fs.existsSync(NATIVE) ? runNative(args, input) : await runParts(input, folders);
  const { errors = [], sources = {} } = JSON.parse(output);
  if (!errors.some((error) => error.severity === "error")) {
    const given = JSON.parse(input).sources;
    const names = Object.keys(sources).filter((name) => given[name]?.content === undefined);
    const read = Object.fromEntries(names.map((name) => [name, digest(find(name, folders))]));
    keep(file, JSON.stringify({ output, read }));
  }
  return output;
}

function allowed(args) {
  return [...valuesOf(args, "--allow-paths"), path.join(ROOT, "node_modules")].join(",");
}

function keep(file, text) {
  try {
    fs.mkdirSync(CACHE, { recursive: true });
    fs.writeFileSync(`${file}.${process.pid}`, text);
    fs.renameSync(`${file}.${process.pid}`, file); // whole or not at all: several compilers may run at once
    const time = (entry) => fs.statSync(entry, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const entries = fs.readdirSync(CACHE).map((name) => path.join(CACHE, name));
    const newestFirst = entries.map((entry) => [time(entry), entry]).sort((a, b) => b[0] - a[0]);
    for (const [, entry] of newestFirst.slice(KEPT)) fs.rmSync(entry, { force: true });
  } catch {} // without a cache things take longer, no more
}

function version() {
  if (fs.existsSync(NATIVE)) return runNative(["--version"], "");
  return `solc, the solidity compiler commandline interface\nVersion: ${require("solc").version()}\n`;
}

const args = process.argv.slice(2);
if (!isMainThread) parentPort.on("message", (part) => parentPort.postMessage(runSoljson(part, workerData)));
else if (args.includes("--version")) process.stdout.write(version());
else if (args.includes("--standard-json"))
  compile(args, fs.readFileSync(0, "utf8")).then((output) => process.stdout.write(output));
else {
  console.error("solc.js: only --version and --standard-json are supported");
  process.exitCode = 1;
}
