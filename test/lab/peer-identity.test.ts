import { expect, test } from 'vitest';
import { makePeerIdentity, peerIdentity } from '../../src/lab/peer-identity.ts';

// The Ed25519 key of the libp2p specification's own vectors (peer-ids/peer-ids.md); the id is what edgevpn v0.30.2 says of it.
const SEED = '7e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d';
const PUBLIC = '1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e';

test("a key's file and id are those of libp2p", () => {
  const { id, privateKey } = peerIdentity(Buffer.from(SEED, 'hex'), Buffer.from(PUBLIC, 'hex'));
  expect(id).toBe('12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq');
  expect(privateKey.toString('hex')).toBe(`08011240${SEED}${PUBLIC}`);
});

test('every new identity is another one, of the same form', () => {
  const [one, other] = [makePeerIdentity(), makePeerIdentity()];
  expect(one.id).toMatch(/^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/);
  expect(one.privateKey).toHaveLength(68);
  expect(other.id).not.toBe(one.id);
});
