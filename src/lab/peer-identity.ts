import { generateKeyPairSync } from 'node:crypto';

/** Who a libp2p node is: its id, and its key as libp2p's programs keep it in a file. */
export interface PeerIdentity {
  /** Begins with "12D3KooW" for an Ed25519 key. */
  readonly id: string;
  readonly privateKey: Buffer;
}

// A key is a protobuf of its type (1: Ed25519) and its bytes; an id is the base58 of the "identity" multihash of the public one
// (libp2p specifications, peer-ids/peer-ids.md).
const PRIVATE_KEY = Buffer.from([0x08, 0x01, 0x12, 64]);
const PUBLIC_KEY = Buffer.from([0x08, 0x01, 0x12, 32]);
const IDENTITY_HASH = Buffer.from([0x00, 36]);

/** Identity of an Ed25519 key: its seed and its public half, 32 bytes each. */
export function peerIdentity(seed: Buffer, publicKey: Buffer): PeerIdentity {
  return {
    id: base58(Buffer.concat([IDENTITY_HASH, PUBLIC_KEY, publicKey])),
    privateKey: Buffer.concat([PRIVATE_KEY, seed, publicKey]),
  };
}

export function makePeerIdentity(): PeerIdentity {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return peerIdentity(Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url'));
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Bitcoin's base58: the bytes as one number, each leading zero byte a "1" (draft-msporny-base58-03). */
function base58(bytes: Buffer): string {
  let text = '';
  for (let number = BigInt(`0x${bytes.toString('hex')}`); number > 0n; number /= 58n) {
    text = BASE58.charAt(Number(number % 58n)) + text;
  }
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return BASE58.charAt(0).repeat(zeros) + text;
}
