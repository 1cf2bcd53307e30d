// The Solidity compiler of the project: .solcx/solc-v0.8.37 runs this, for ape (py-solc-x), forge and slither alike.
//   solc --version
//   solc --standard-json [--base-path P] [--include-path P]... [--allow-paths P,...] < input.json > output.json
// It runs the machine's own compiler where `make setup` found one (.solcx/native), else npm's soljson, and adds two things:
// - ape compiles a copy of contracts/ in a temporary folder, without node_modules: imports are looked up here too;
// - ape, forge and slither ask much the same, and soljson takes seconds: clean results are kept in .solcx/cache, each with
//   the digests of the files it was made of that were not in the input, and serve as long as those are unchanged.
"use strict";
const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const ROOT = path.dirname(__dirname);
const SOLCX = path.join(ROOT, ".solcx");
const NATIVE = path.join(SOLCX, "native");
const INCLUDE = path.join(SOLCX, "include"); // holds nothing but node_modules
const CACHE = path.join(SOLCX, "cache");
const KEPT = 60; // entries of the cache

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

function compile(args, input) {
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

  const output = fs.existsSync(NATIVE) ? runNative(args, input) : runSoljson(input, folders);
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
if (args.includes("--version")) process.stdout.write(version());
else if (args.includes("--standard-json")) process.stdout.write(compile(args, fs.readFileSync(0, "utf8")));
else {
  console.error("solc.js: only --version and --standard-json are supported");
  process.exitCode = 1;
}
