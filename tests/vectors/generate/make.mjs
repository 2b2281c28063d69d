// Writes tests/vectors/generated.json to stdout: statements, who made them, and whether they are true.
// Run only on demand, with the versions locked beside it; see tests/vectors/README.md.
// The keys are made of labels and hold nothing, anywhere.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { Secp256k1Keypair } from '@mysten/sui/keypairs/secp256k1';
import { Secp256r1Keypair } from '@mysten/sui/keypairs/secp256r1';
import { MultiSigPublicKey } from '@mysten/sui/multisig';
import { verifyPersonalMessageSignature } from '@mysten/sui/verify';
import { hexToU8a, u8aToHex, u8aWrapBytes } from '@polkadot/util';
import * as substrate from '@polkadot/util-crypto';
import { ethers } from 'ethers';

const seed = (label) => createHash('sha256').update(`flamewire vector ${label}`).digest();
const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => u8aToHex(bytes);
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const made = [];

/** `valid` is what is expected; `by_library` what the library that made it says, where it is asked. */
function add(fields, valid, note, by_library) {
  made.push({ id: `gen-${String(made.length + 1).padStart(3, '0')}`, ...fields, valid, note, by_library });
}

// Messages: none, one byte, a line, all bytes, text that looks like a prefix, and long ones.
const MESSAGES = [
  ['empty', new Uint8Array()],
  ['one zero byte', new Uint8Array([0])],
  ['no UTF-8', new Uint8Array([0xff, 0xfe, 0xc0, 0x80])],
  ['every byte', Uint8Array.from({ length: 256 }, (_, at) => at)],
  ['a prefix inside', utf8('\x19Ethereum Signed Message:\n5hello <Bytes>x</Bytes>')],
  ['300 bytes', new Uint8Array(300).fill(0x61)],
  ['an ownership challenge', utf8([
    'pay.example asks you to prove that this ethereum account is yours:',
    '0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86',
    '',
    'What is paid back for payment intent pi_1 may be sent to it. To sign this moves no money and allows nothing else.',
    '',
    'URI: urn:flamewire:ownership:own_1',
    'Version: 1',
    'Chain ID: eip155:1',
    'Nonce: 0123456789abcdef',
    'Issued At: 2026-01-01T12:00:00Z',
    'Expiration Time: 2026-01-01T12:15:00Z',
    'Request ID: own_1',
    'Resources:',
    '- eip155:1:0x4e9B59F1d99D4138112eb12Cd91D400385c1bc86',
  ].join('\n'))],
];

// Ethereum.

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const wallets = ['one', 'two', 'three'].map((label) => new ethers.Wallet(hex(seed(label))));
const [one, two] = wallets;

function twin(signature) {
  const { r, s, v } = ethers.Signature.from(signature);
  const high = ethers.toBeHex(ORDER - BigInt(s), 32);
  return ethers.concat([r, high, v === 27 ? '0x1c' : '0x1b']);
}

function evm(kind, rest, valid, note, recovered) {
  add({ network: 'ethereum', kind, scheme: 'secp256k1', ...rest }, valid, note, recovered);
}

for (const [name, message] of MESSAGES) {
  const signature = one.signMessageSync(message);
  const compact = ethers.Signature.from(signature).compactSerialized;
  const claim = { address: one.address, message_hex: hex(message) };
  evm('message', { ...claim, signature }, true, `EIP-191, ${name}`,
    ethers.verifyMessage(message, signature) === one.address);
  evm('message', { ...claim, signature: compact }, true, `EIP-2098, ${name}`,
    ethers.verifyMessage(message, compact) === one.address);
  evm('message', { ...claim, signature: twin(signature) }, false, `high s, ${name}`);
  evm('message', { ...claim, address: two.address, signature }, false, `another account, ${name}`,
    ethers.verifyMessage(message, signature) === two.address);
  // The digest signed without the prefix: a raw eth_sign.
  const raw = one.signingKey.sign(ethers.keccak256(message)).serialized;
  evm('message', { ...claim, signature: raw }, false, `signed without a prefix, ${name}`,
    ethers.verifyMessage(message, raw) === one.address);
}

const TYPED = [
  ['every atom', { name: 'Atoms', version: '2', chainId: 1, verifyingContract: one.address, salt: hex(seed('salt')) },
    { Atoms: ['uint8 a', 'uint256 b', 'int8 c', 'int256 d', 'bool e', 'bool f', 'address g', 'bytes1 h', 'bytes4 i', 'bytes32 j', 'bytes k', 'string l'] },
    'Atoms',
    { a: 255, b: (2n ** 256n - 1n).toString(), c: -128, d: (-(2n ** 255n)).toString(), e: true, f: false, g: two.address, h: '0x01', i: '0xdeadbeef', j: hex(seed('j')), k: '0x', l: '中文 😀' }],
  ['arrays of arrays', { name: 'Arrays' },
    { Cell: ['uint16 x', 'string[] tags'], Grid: ['Cell[2][] cells', 'uint256[3] fixed', 'bytes4[] loose', 'address[] who', 'bool[2] both'] },
    'Grid',
    { cells: [[{ x: 1, tags: [] }, { x: 2, tags: ['a', ''] }], [{ x: 3, tags: ['b'] }, { x: 65535, tags: ['c', 'd'] }]], fixed: [1, 2, 3], loose: [], who: [one.address, two.address], both: [true, false] }],
  ['types in another order', { name: 'Order', chainId: 8453 },
    { Zed: ['Mid m'], Alpha: ['uint256 n'], Mid: ['Alpha a', 'Beta b'], Beta: ['string s'] },
    'Zed', { m: { a: { n: '7' }, b: { s: 's' } } }],
  ['an empty type', { version: '1' }, { Nothing: [] }, 'Nothing', {}],
];

for (const [name, domain, shapes, primaryType, message] of TYPED) {
  const types = Object.fromEntries(Object.entries(shapes).map(([type, fields]) =>
    [type, fields.map((field) => { const [kind, called] = field.split(' '); return { name: called, type: kind }; })]));
  const signature = await one.signTypedData(domain, types, message);
  const typed = { domain, types, primaryType, message };
  const digest = ethers.TypedDataEncoder.hash(domain, types, message);
  evm('typed_data', { address: one.address, typed, digest, signature }, true, `EIP-712, ${name}`,
    ethers.verifyTypedData(domain, types, message, signature) === one.address);
  evm('typed_data', { address: one.address, typed: { ...typed, domain: { ...domain, name: 'Other' } }, signature }, false, `EIP-712, other domain, ${name}`);
  evm('typed_data', { address: one.address, typed: { ...typed, message: { ...message, more: 1 } }, signature }, false, `EIP-712, a field that no type names, ${name}`);
}

const common = { to: two.address, value: 10n ** 18n, nonce: 7, gasLimit: 90_000, data: '0xa9059cbb' };
const fees = { maxFeePerGas: 30n * 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n };
const accessList = [{ address: one.address, storageKeys: [hex(seed('slot')), hex(seed('slot 2'))] }];
const authorization = two.authorizeSync({ address: one.address, nonce: 3, chainId: 1 });
const TRANSACTIONS = [
  ['legacy, EIP-155', { type: 0, chainId: 1, gasPrice: 10n ** 9n, ...common }],
  ['legacy, a large chain id', { type: 0, chainId: 11_155_111, gasPrice: 1n, ...common }],
  ['a contract is made', { type: 2, chainId: 1, ...fees, ...common, to: null }],
  ['EIP-2930', { type: 1, chainId: 10, gasPrice: 1n, ...common, accessList }],
  ['EIP-1559', { type: 2, chainId: 8453, ...fees, ...common, accessList }],
  ['EIP-4844', { type: 3, chainId: 1, ...fees, ...common, maxFeePerBlobGas: 5n, blobVersionedHashes: [`0x01${'ab'.repeat(31)}`] }],
  ['EIP-7702', { type: 4, chainId: 1, ...fees, ...common, authorizationList: [authorization] }],
];

for (const [name, fields] of TRANSACTIONS) {
  const transaction = ethers.Transaction.from(fields);
  transaction.signature = one.signingKey.sign(transaction.unsignedHash);
  const claim = { address: one.address, message_hex: transaction.serialized, chain_id: `eip155:${fields.chainId}` };
  const from = ethers.Transaction.from(transaction.serialized).from;
  const signature = transaction.signature.serialized;
  evm('transaction', { ...claim, signature: '' }, true, `${name}, signed`, from === one.address);
  evm('transaction', { ...claim, message_hex: transaction.unsignedSerialized, signature }, true, `${name}, and its signature`);
  evm('transaction', { ...claim, signature: one.signMessageSync('other') }, false, `${name}, signed, with another signature`);
  evm('transaction', { ...claim, address: two.address, signature: '' }, false, `${name}, another account`, from === two.address);
  evm('transaction', { ...claim, message_hex: transaction.unsignedSerialized, signature: '' }, false, `${name}, not signed`);
}

// Safe: owners in ascending order, over a SafeMessage and with eth_sign parts.
const owners = [...wallets].sort((a, b) => (BigInt(a.address) < BigInt(b.address) ? -1 : 1));
const safe = ethers.getAddress(hex(seed('safe').subarray(0, 20)));
const note = utf8('pay the invoice');
const safeDigest = ethers.TypedDataEncoder.hash(
  { chainId: 1, verifyingContract: safe }, { SafeMessage: [{ name: 'message', type: 'bytes' }] },
  { message: ethers.hashMessage(note) });
const byKey = owners.map((owner) => owner.signingKey.sign(safeDigest).serialized);
const byEthSign = owners.map((owner) => {
  const { r, s, v } = ethers.Signature.from(owner.signMessageSync(ethers.getBytes(safeDigest)));
  return ethers.concat([r, s, ethers.toBeHex(v + 4, 1)]);
});

function wallet(parts, valid, said) {
  add({
    network: 'eip155:1', kind: 'message', scheme: 'safe', address: safe, message_hex: hex(note),
    owners: { addresses: wallets.map((each) => each.address), threshold: 2 }, signature: ethers.concat(parts),
  }, valid, `Safe, ${said}`);
}

wallet([byKey[0], byKey[1]], true, 'two owners');
wallet([byKey[0], byEthSign[2]], true, 'one by eth_sign');
wallet(byKey, true, 'all three');
wallet([byKey[0]], false, 'below the threshold');
wallet([byKey[1], byKey[0]], false, 'unsorted');
wallet([byKey[0], byKey[0]], false, 'one owner twice');
wallet([byKey[0], twin(byKey[1])], false, 'a high s');
wallet([byKey[0], byKey[1], '0x00'], false, 'a byte behind');
wallet([byKey[0], owners[1].signMessageSync(note)], false, 'one signed the message itself');

// Substrate.

await substrate.cryptoWaitReady();

function polkadot(scheme, rest, valid, said, by_library) {
  add({ network: 'bittensor', kind: 'message', scheme, ...rest }, valid, said, by_library);
}

function says(message, signature, address) {
  try {
    return substrate.signatureVerify(message, signature, address).isValid;
  } catch {
    return false;
  }
}

const sr = substrate.sr25519PairFromSeed(seed('sr25519'));
const ed = substrate.ed25519PairFromSeed(seed('ed25519'));
const ec = substrate.secp256k1PairFromSeed(seed('ecdsa'));
const SIGNERS = [
  ['sr25519', sr.publicKey, (data) => substrate.sr25519Sign(data, sr), 1],
  ['ed25519', ed.publicKey, (data) => substrate.ed25519Sign(data, ed), 0],
  ['ecdsa', substrate.blake2AsU8a(ec.publicKey), (data) => substrate.secp256k1Sign(data, ec, 'blake2'), 2],
];

for (const [scheme, account, sign, tag] of SIGNERS) {
  const address = substrate.encodeAddress(account, 42);
  for (const [name, message] of MESSAGES) {
    const claim = { address, message_hex: hex(message) };
    const signature = sign(message);
    const tagged = new Uint8Array([tag, ...signature]);
    polkadot(scheme, { ...claim, signature: hex(signature) }, true, `${scheme}, ${name}`);
    polkadot(scheme, { ...claim, signature: hex(tagged) }, true, `${scheme}, as a MultiSignature, ${name}`, says(message, tagged, address));
    const wrapped = sign(u8aWrapBytes(message));
    // What has Ethereum's prefix already is left as it is: then both forms are one.
    const isLeft = hex(u8aWrapBytes(message)) === hex(message);
    polkadot(scheme, { ...claim, kind: 'personal_message', signature: hex(wrapped) }, true, `${scheme}, wrapped, ${name}`);
    polkadot(scheme, { ...claim, signature: hex(wrapped) }, isLeft, `${scheme}, wrapped unasked, ${name}`);
    polkadot(scheme, { ...claim, kind: 'personal_message', signature: hex(signature) }, isLeft, `${scheme}, not wrapped, ${name}`);
    polkadot(scheme, { ...claim, address: substrate.encodeAddress(account, 0), signature: hex(signature) }, false, `${scheme}, an address of another network, ${name}`);
  }
  const payload = new Uint8Array(300).fill(tag + 1); // a long transaction is signed by its hash
  const signature = hex(sign(substrate.blake2AsU8a(payload)));
  polkadot(scheme, { address, kind: 'transaction', message_hex: hex(payload), signature }, true, `${scheme}, a long transaction`);
  polkadot(scheme, { address, kind: 'message', message_hex: hex(payload), signature }, false, `${scheme}, a transaction as a message`);
}

{
  const data = utf8('high');
  const signature = substrate.secp256k1Sign(data, ec, 'blake2');
  const s = BigInt(hex(signature.subarray(32, 64)));
  const high = new Uint8Array([...signature.subarray(0, 32), ...hexToU8a(ethers.toBeHex(ORDER - s, 32)), signature[64] ^ 1]);
  const address = substrate.encodeAddress(substrate.blake2AsU8a(ec.publicKey), 42);
  polkadot('ecdsa', { address, message_hex: hex(data), signature: hex(high) }, false, 'ecdsa, high s');
}

const multisig = [2, 3, 63, 64, 100].map((count) => {
  const members = Array.from({ length: count }, (_, at) => substrate.encodeAddress(seed(`member ${at}`), 42));
  const threshold = Math.ceil((count + 1) / 2);
  return { signatories: members, threshold, address: substrate.encodeAddress(substrate.createKeyMulti(members, threshold), 42) };
});

// Sui.

const suiKeys = [
  ['ed25519', Ed25519Keypair.fromSecretKey(seed('sui ed25519'))],
  ['secp256k1', Secp256k1Keypair.fromSecretKey(seed('sui secp256k1'))],
  ['secp256r1', Secp256r1Keypair.fromSecretKey(seed('sui secp256r1'))],
];
const R1 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

async function sui(rest, valid, said) {
  const { message_base64, signature, address, kind } = rest;
  const by_library = kind === 'personal_message'
    ? await verifyPersonalMessageSignature(Buffer.from(message_base64, 'base64'), signature, { address }).then(() => true, () => false)
    : undefined;
  add({ network: 'sui', ...rest }, valid, said, by_library);
}

function suiTwin(signature, order) {
  const bytes = Buffer.from(signature, 'base64');
  const s = BigInt(hex(bytes.subarray(33, 65)));
  return base64(Buffer.concat([bytes.subarray(0, 33), Buffer.from(ethers.toBeHex(order - s, 32).slice(2), 'hex'), bytes.subarray(65)]));
}

for (const [scheme, key] of suiKeys) {
  const address = key.getPublicKey().toSuiAddress();
  for (const [name, message] of MESSAGES) {
    const { signature } = await key.signPersonalMessage(message);
    const claim = { kind: 'personal_message', scheme, address, message_base64: base64(message), signature };
    await sui(claim, true, `${scheme}, ${name}`);
    await sui({ ...claim, kind: 'message' }, true, `${scheme}, the same called a message, ${name}`);
    if (scheme !== 'ed25519') {
      await sui({ ...claim, signature: suiTwin(signature, scheme === 'secp256k1' ? ORDER : R1) }, false, `${scheme}, high s, ${name}`);
    }
    if (message.length) {
      const raw = (await key.signTransaction(message)).signature;
      await sui({ ...claim, kind: 'transaction', signature: raw }, true, `${scheme}, as a transaction, ${name}`);
      await sui({ ...claim, signature: raw }, false, `${scheme}, a transaction as a message, ${name}`);
    }
  }
}

const members = suiKeys.map(([, key], at) => ({ publicKey: key.getPublicKey(), weight: at + 1 }));
for (const threshold of [1, 3, 6]) {
  const together = MultiSigPublicKey.fromPublicKeys({ threshold, publicKeys: members });
  const message = utf8(`threshold ${threshold}`);
  const signatures = await Promise.all(suiKeys.map(async ([, key]) => (await key.signPersonalMessage(message)).signature));
  for (let chosen = 1; chosen < 8; chosen++) {
    const parts = signatures.filter((_, at) => (chosen >> at) & 1);
    const weight = members.reduce((sum, member, at) => sum + ((chosen >> at) & 1 ? member.weight : 0), 0);
    await sui({
      kind: 'personal_message', scheme: 'multisig', address: together.toSuiAddress(), message_base64: base64(message),
      signature: together.combinePartialSignatures(parts),
    }, weight >= threshold, `multisig, weight ${weight} of ${threshold}`);
  }
}

const versions = JSON.parse(readFileSync(new URL('package.json', import.meta.url))).dependencies;
const shape = {
  valid: 'the verdict of a strict reader',
  by_library: 'what the library that made it says of it, where it was asked; it may be laxer',
  typed: 'EIP-712: domain, types, primaryType, message',
  multisig: 'Substrate multisig accounts, whatever the order of their members',
};
const text = JSON.stringify({ generator: { ...versions, node: process.version }, shape, vectors: made, multisig }, null, 1);
process.stdout.write(`${text}\n`);
