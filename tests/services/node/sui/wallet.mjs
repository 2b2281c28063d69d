// A wallet: builds and signs transactions with @mysten/sui. A line of JSON in, a line of JSON out.
//
//   {"id", "secret": 64 hex digits, "gas": REF, "sources": {NAME: REF}, "moves": [MOVE]}
//   MOVE: {"to", "units", "source": NAME or null for the gas coin,
//          "receipt": {"package", "nonce", "coinType"} or null}
//   REF: {"objectId", "version", "digest"}
//   → {"id", "address", "bytes", "signature", "digest"} or {"id", "error"}
import { createInterface } from "node:readline";
import { Ed25519Keypair } from "@mysten/sui/keypairs/ed25519";
import { Transaction } from "@mysten/sui/transactions";

const PRICE = 1000;
const BUDGET = 10_000_000;

async function answer(asked) {
  const keypair = Ed25519Keypair.fromSecretKey(Uint8Array.from(Buffer.from(asked.secret, "hex")));
  const address = keypair.toSuiAddress();
  if (!asked.moves) {
    return { address };
  }
  const transaction = new Transaction();
  transaction.setSender(address);
  transaction.setGasPrice(PRICE);
  transaction.setGasBudget(BUDGET);
  transaction.setGasPayment([asked.gas]);
  const sources = Object.fromEntries(
    Object.entries(asked.sources).map(([name, ref]) => [name, transaction.objectRef(ref)]),
  );
  for (const move of asked.moves) {
    const source = move.source === null ? transaction.gas : sources[move.source];
    const [coin] = transaction.splitCoins(source, [move.units]);
    if (move.receipt) {
      transaction.moveCall({
        target: `${move.receipt.package}::payment_kit::process_ephemeral_payment`,
        typeArguments: [move.receipt.coinType],
        arguments: [
          transaction.pure.string(move.receipt.nonce),
          transaction.pure.u64(move.units),
          coin,
          transaction.pure.address(move.to),
          transaction.sharedObjectRef({ objectId: "0x6", initialSharedVersion: 1, mutable: false }),
        ],
      });
    } else {
      transaction.transferObjects([coin], move.to);
    }
  }
  const built = await transaction.build();
  const { bytes, signature } = await keypair.signTransaction(built);
  return { address, bytes, signature, digest: await transaction.getDigest() };
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  try {
    console.log(JSON.stringify({ id: asked.id, ...(await answer(asked)) }));
  } catch (error) {
    console.log(JSON.stringify({ id: asked.id, error: String(error) }));
  }
}
