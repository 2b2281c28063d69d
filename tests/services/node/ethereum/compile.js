// Compiles TestToken.sol offline with solc and OpenZeppelin's sources; writes TestToken.json.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const input = {
  language: "Solidity",
  sources: { "TestToken.sol": { content: fs.readFileSync("TestToken.sol", "utf8") } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "TestToken.sol": { TestToken: ["abi", "evm.bytecode.object"] } },
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
const contract = output.contracts["TestToken.sol"].TestToken;
const artifact = { abi: contract.abi, bytecode: "0x" + contract.evm.bytecode.object };
fs.writeFileSync("TestToken.json.part", JSON.stringify(artifact));
fs.renameSync("TestToken.json.part", "TestToken.json");
