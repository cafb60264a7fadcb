import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuildLog, openBuildLog } from '../../src/hook/build-log.ts';
import { connectTarget, type RecordingProxy, startProxy } from '../../src/hook/proxy.ts';
import type { Answer } from '../../src/hook/types.ts';
import { sha256 } from '../../src/support/files.ts';
import { tunnel, viaProxy, viaTunnel } from './proxy-client.ts';

const SCRIPT = '#!/bin/sh\necho installing\n';
let folder: string;
let log: BuildLog;
let proxy: RecordingProxy;
let asked: string[];
let waits: boolean[];

async function answer(url: string): Promise<Answer> {
  asked.push(url);
  if (url.includes('unlocked')) return { kind: 'refuse', reason: 'the lock does not hold it' };
  if (url.includes('offline')) throw new Error('the network is down');
  if (url.includes('gone')) return { kind: 'file', path: join(folder, 'gone') };
  return {
    kind: 'file',
    path: join(folder, 'script'),
    ...(url.includes('moved') ? { finalUrl: 'https://cdn.test/x' } : {}),
  };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sextant-proxy-'));
  await writeFile(join(folder, 'script'), SCRIPT);
  log = openBuildLog(join(folder, 'log'));
  asked = [];
  waits = [];
  proxy = await startProxy({ answer, log, onWaiting: (waiting) => waits.push(waiting) });
});

afterEach(async () => {
  await proxy.close();
  log.close();
  await rm(folder, { recursive: true });
});

const https = (url: string, options = {}) => viaTunnel(proxy.socket, url, proxy.certificate, options);
const logged = () => readFile(join(folder, 'log'), 'utf8');

describe('the recording proxy', () => {
  it('serves a file for an http address in absolute form', async () => {
    expect(await viaProxy(proxy.socket, 'http://get.test/install.sh')).toMatchObject({
      status: 200,
      body: SCRIPT,
    });
    expect(proxy.urls()).toEqual(['http://get.test/install.sh']);
  });

  it('serves a file for an https address through CONNECT, under a certificate for that host', async () => {
    const received = await https('https://get.k3s.io');
    expect(received).toMatchObject({ status: 200, body: SCRIPT });
    expect(received.headers['content-length']).toBe(String(SCRIPT.length));
    expect(proxy.urls()).toEqual(['https://get.k3s.io/']);
  });

  it('keeps ports, queries and IPv6 addresses in what it asks for', async () => {
    await https('https://files.test:8443/a?b=c%2Bd');
    await https('https://[2001:db8::1]/x');
    expect(proxy.urls()).toEqual(['https://files.test:8443/a?b=c%2Bd', 'https://[2001:db8::1]/x']);
  });

  it('answers HEAD with the length and no body', async () => {
    const received = await https('https://get.k3s.io/', { method: 'HEAD' });
    expect(received).toMatchObject({ status: 200, body: '' });
    expect(received.headers['content-length']).toBe(String(SCRIPT.length));
  });

  it('answers a range, so that an interrupted download goes on', async () => {
    const part = await https('https://get.k3s.io/', { headers: { range: 'bytes=3-' } });
    expect(part).toMatchObject({ status: 206, body: SCRIPT.slice(3) });
    expect(part.headers['content-range']).toBe(`bytes 3-${SCRIPT.length - 1}/${SCRIPT.length}`);
    const beyond = await https('https://get.k3s.io/', { headers: { range: 'bytes=900-' } });
    expect(beyond).toMatchObject({ status: 416 });
    expect(beyond.headers['content-range']).toBe(`bytes */${SCRIPT.length}`);
  });

  it('asks once for each address, however often and however concurrently it is fetched', async () => {
    await Promise.all([1, 2, 3].map(() => https('https://get.k3s.io/')));
    await https('https://other.test/');
    expect(asked).toEqual(['https://get.k3s.io/', 'https://other.test/']);
  });

  it('says while an answer is being waited for', async () => {
    await https('https://get.k3s.io/');
    await https('https://get.k3s.io/');
    expect(waits).toEqual([true, false]);
  });

  it('refuses what is not in the lock with 403, and remembers it once', async () => {
    const received = await https('https://unlocked.test/k3s');
    await https('https://unlocked.test/k3s');
    expect(received.status).toBe(403);
    expect(received.body).toContain('https://unlocked.test/k3s: the lock does not hold it');
    expect(proxy.refusals()).toEqual([
      { url: 'https://unlocked.test/k3s', reason: 'the lock does not hold it' },
    ]);
  });

  it('refuses methods that send something', async () => {
    const received = await https('https://get.k3s.io/', { method: 'POST' });
    expect(received.status).toBe(405);
    expect(proxy.refusals()).toMatchObject([{ url: 'https://get.k3s.io/' }]);
    expect(asked).toEqual([]);
  });

  it('serves the bytes of a redirected address at once and names the last address', async () => {
    const received = await https('https://moved.test/');
    expect(received).toMatchObject({ status: 200, body: SCRIPT });
    expect(received.headers['content-location']).toBe('https://cdn.test/x');
  });

  it('keeps what an answer threw, and answers 502', async () => {
    expect(await https('https://offline.test/')).toMatchObject({ status: 502 });
    expect(proxy.failure()).toEqual(new Error('the network is down'));
  });

  it('answers 502 where the file is missing', async () => {
    expect(await https('https://gone.test/')).toMatchObject({ status: 502 });
    expect(proxy.failure()).toMatchObject({ code: 'ENOENT' });
  });

  it('counts a tunnel without TLS as refused', async () => {
    const plain = await tunnel(proxy.socket, 'ssh.test:22');
    plain.on('error', () => {}).write('SSH-2.0-client\r\n');
    await expect.poll(() => proxy.refusals()).toMatchObject([{ url: 'https://ssh.test:22/' }]);
  });

  it('refuses requests that are not meant for a proxy', async () => {
    expect(await viaProxy(proxy.socket, '/install.sh')).toMatchObject({ status: 400 });
    expect(await viaProxy(proxy.socket, 'ftp://get.test/x')).toMatchObject({ status: 400 });
    await expect(tunnel(proxy.socket, 'no-port')).rejects.toThrow('CONNECT 400');
    expect(asked).toEqual([]);
  });

  it('survives bytes that are not HTTP', async () => {
    const client = connect(proxy.socket);
    const closed = new Promise((resolve) => client.on('close', resolve));
    client.on('error', () => {}).write('\x16\x03\x01\x02\x00nonsense\r\n\r\n');
    client.resume();
    await closed;
    expect(await https('https://get.k3s.io/')).toMatchObject({ status: 200 });
  });

  it('logs each request with the digest of what it served, and each refusal', async () => {
    await https('https://get.k3s.io/');
    await https('https://unlocked.test/k3s');
    await proxy.close();
    expect(await logged()).toContain(
      `[proxy] GET https://get.k3s.io/ 200, ${SCRIPT.length} bytes, file sha256:${sha256(SCRIPT)}`,
    );
    expect(await logged()).toContain(
      '[proxy] GET https://unlocked.test/k3s refused: the lock does not hold it',
    );
  });

  it('leaves no socket behind', async () => {
    await proxy.close();
    expect(existsSync(dirname(proxy.socket))).toBe(false);
  });
});

describe('the target of CONNECT', () => {
  it.each([
    ['get.k3s.io:443', { host: 'get.k3s.io', port: 443 }],
    ['GET.K3S.IO:443', { host: 'get.k3s.io', port: 443 }],
    ['[2001:db8::1]:8443', { host: '2001:db8::1', port: 8443 }],
    ['get.k3s.io', undefined],
    ['get.k3s.io:0', undefined],
    ['get.k3s.io:70000', undefined],
    ['user@get.k3s.io:443', undefined],
    ['a/b:443', undefined],
    ['[zz]:443', undefined],
    ['[:::]:443', undefined],
    ['', undefined],
  ])('of %j is %j', (authority, target) => {
    expect(connectTarget(authority)).toEqual(target);
  });
});
