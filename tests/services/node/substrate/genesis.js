// Writes genesis.json: the raw genesis of Rococo Asset Hub, with its runtime, for a node of our own.
const fs = require("fs");
const { rococo_v2_2_asset_hub: spec } = require("@substrate/connect-known-chains");

fs.writeFileSync("genesis.json.part", spec);
fs.renameSync("genesis.json.part", "genesis.json");
