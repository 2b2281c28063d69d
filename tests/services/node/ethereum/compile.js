// Compiles the contracts of this folder offline with solc and OpenZeppelin's sources. NAME.sol holds the
// contract NAME, and becomes NAME.json.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const names = fs
  .readdirSync(".")
  .filter((file) => file.endsWith(".sol"))
  .map((file) => path.basename(file, ".sol"));
const input = {
  language: "Solidity",
  sources: Object.fromEntries(
    names.map((name) => [`${name}.sol`, { content: fs.readFileSync(`${name}.sol`, "utf8") }]),
  ),
  settings: {
    optimizer: { enabled: true, runs: 200 },
    outputSelection: Object.fromEntries(
      names.map((name) => [`${name}.sol`, { [name]: ["abi", "evm.bytecode.object"] }]),
    ),
  },
};
const fromModules = (name) => ({
  contents: fs.readFileSync(path.join("node_modules", name), "utf8"),
});

const output = JSON.parse(solc.compile(JSON.stringify(input), { import: fromModules }));
const errors = (output.errors || []).filter((error) => error.severity === "error");
if (errors.length > 0) {
  console.error(errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(1);
}
for (const name of names) {
  const contract = output.contracts[`${name}.sol`][name];
  const artifact = { abi: contract.abi, bytecode: "0x" + contract.evm.bytecode.object };
  fs.writeFileSync(`${name}.json.part`, JSON.stringify(artifact));
  fs.renameSync(`${name}.json.part`, `${name}.json`);
}
