/** The C half of sextant-node (src/node/native): system calls. Failures throw the class given to `setErrorClass`. */
declare module 'sextant:native' {
  /** Constructor (errno, operation, path) of what is thrown; to be given before any other call. */
  export function setErrorClass(made: new (errno: string, operation: string, path: string) => Error): void;

  export function read(path: string, offset: number, most: number): ArrayBuffer | undefined;
  export function list(folder: string): string[] | undefined;
  export function facts(
    path: string,
    follow: boolean,
  ):
    | [
        kind: 'file' | 'folder' | 'link' | 'other',
        size: number,
        mode: number,
        modified: number,
        inode: number,
        device: number,
      ]
    | undefined;
  export function readlink(path: string): string | undefined;
  export function space(path: string): [free: number, total: number, freeFiles: number];
  export function writeNew(path: string, bytes: Uint8Array, mode: number): void;
  export function copyNew(
    from: string,
    to: string,
    mode: number,
    onProgress: ((bytes: number) => void) | undefined,
  ): void;
  export function sync(path: string): void;
  export function rename(from: string, to: string): void;
  export function symlink(target: string, path: string): void;
  export function link(from: string, to: string): void;
  export function unlink(path: string): boolean;
  export function rmdir(path: string): boolean;
  export function mkdir(path: string, mode: number): boolean;
  /** A descriptor for `close`. */
  export function lock(path: string, seconds: number): number | undefined;
  export function close(descriptor: number): void;

  /** `number` is the exit code or the signal. */
  export function run(
    argv: readonly string[],
    environment: readonly string[],
    input: Uint8Array | undefined,
    seconds: number,
    limit: number,
  ): [ended: 'exit' | 'signal' | 'timeout' | 'limit', number: number, stdout: string, stderr: string];
  export function sendDatagram(socket: string, payload: Uint8Array): void;
  export function sleep(seconds: number): void;
  export function deferTermination(): void;
  export function terminationAsked(): boolean;

  export function args(): string[];
  export function env(name: string): string | undefined;
  export function userId(): number;
  export function uptime(): number;
  export function exit(code: number): never;
  /** To descriptor 1 or 2. */
  export function write(descriptor: number, text: string): void;
  export function encode(text: string): ArrayBuffer;
  export function decode(bytes: Uint8Array): string;
}
