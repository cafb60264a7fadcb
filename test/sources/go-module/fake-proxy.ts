import { crc32 } from 'node:zlib';
import { startServer, type TestServer } from '../server.ts';

/** A zip archive of uncompressed files (APPNOTE 4.3), as module proxies serve them. */
function zip(files: Readonly<Record<string, string>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const [body, title] = [Buffer.from(text), Buffer.from(name)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(body), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(body.length, 18);
    common.writeUInt16LE(title.length, 22);
    const header = Buffer.concat([Buffer.from('PK\x03\x04'), common, title, body]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, rest, title]));
    local.push(header);
    offset += header.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(central.length, 4);
  end.writeUInt16LE(central.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from('PK\x05\x06'), end]);
}

export interface FakeModule {
  readonly path: string;
  readonly version: string;
  /** Files of the module, go.mod among them. */
  readonly files: Readonly<Record<string, string>>;
}

/** A module proxy on a loopback port (https://go.dev/ref/mod#goproxy-protocol). */
export async function fakeProxy(): Promise<{
  readonly server: TestServer;
  publish(module: FakeModule): void;
}> {
  const server = await startServer();
  const versions = new Map<string, string[]>();
  return {
    server,
    publish({ path, version, files }) {
      const base = `/${path.replace(/[A-Z]/g, (letter) => `%21${letter.toLowerCase()}`)}/@v`;
      const listed = [...(versions.get(path) ?? []), version];
      versions.set(path, listed);
      const info = JSON.stringify({ Version: version, Time: '2026-01-02T03:04:05Z' });
      const inZip = Object.entries(files).map(([name, body]) => [`${path}@${version}/${name}`, body]);
      server.on(`${base}/list`, { body: `${listed.join('\n')}\n` });
      server.on(`${base.replace(/@v$/, '@latest')}`, { body: info });
      server.on(`${base}/${version}.info`, { body: info });
      server.on(`${base}/${version}.mod`, { body: files['go.mod'] ?? '' });
      server.on(`${base}/${version}.zip`, { body: zip(Object.fromEntries(inZip)) });
    },
  };
}
