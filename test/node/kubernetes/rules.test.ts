import { describe, expect, test } from 'vitest';
import { type VersionChange, versionProblem } from '../../../src/node/kubernetes/rules.ts';
import { expectGolden } from '../../golden.ts';

const server: VersionChange = {
  from: 'v1.33.4+k3s1',
  to: 'v1.33.5+k3s1',
  role: 'server',
  cluster: null,
  datastore: 'v1.33.4+k3s1',
};
const agent: VersionChange = { ...server, role: 'agent', datastore: '', cluster: 'v1.33.4+k3s1' };

describe('Kubernetes allows', () => {
  test.for<[string, VersionChange]>([
    ['a patch release', server],
    ['the next minor version on a server', { ...server, to: 'v1.34.1+k3s1' }],
    ['an older patch release', { ...server, to: 'v1.33.1+k3s1' }],
    ['the first version ever', { ...server, from: '', datastore: '' }],
    ["the cluster's version on an agent, of whatever patch", { ...agent, to: 'v1.33.9+k3s1' }],
    [
      'the next minor on an agent whose servers have it',
      { ...agent, to: 'v1.34.0+k3s1', cluster: 'v1.34.0+k3s1' },
    ],
    ['an older minor on an agent within the skew', { ...agent, to: 'v1.31.0+k3s1' }],
  ])('%s', ([_, change]) => {
    expect(versionProblem(change)).toBeUndefined();
  });
});

test('every refusal says why and the way around', () => {
  const refused: [string, VersionChange][] = [
    ['skips a minor', { ...server, to: 'v1.35.0+k3s1' }],
    ['skips a minor on an agent', { ...agent, to: 'v1.35.0+k3s1', cluster: 'v1.35.0+k3s1' }],
    ['older than the datastore', { ...server, to: 'v1.32.9+k3s1' }],
    ['other distribution', { ...server, to: 'v1.33.5+k0s.0' }],
    ['no version', { ...server, to: 'latest' }],
    ['kubelet newer than the API server', { ...agent, to: 'v1.34.0+k3s1' }],
    ['kubelet far older than the API server', { ...agent, to: 'v1.32.0+k3s1', cluster: 'v1.36.0+k3s1' }],
    ['the API server does not answer', { ...agent, cluster: null }],
  ];
  const lines = refused.map(([name, change]) => {
    const problem = versionProblem(change);
    return `${name}\n  error: ${problem?.message}\n  hint: ${problem?.hint}\n`;
  });
  expectGolden(lines.join(''), 'test/node/golden/kubernetes-rules.txt');
});
