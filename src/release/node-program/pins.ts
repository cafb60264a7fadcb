import type { LockedBlob, LockedPackages } from '../../lock/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import pinned from './pins.lock.json' with { type: 'json' };

/**
 * Every byte that sextant-node is compiled from and with, besides its own sources. They belong to this program and not to a recipe: a
 * lock says what a release carries, and every release of one sextant carries the same sextant-node. Written by
 * tools/pin-node-program.ts.
 */
export interface NodeProgramPins {
  /** The JavaScript engine's source archive. */
  readonly quickjs: { readonly version: string; readonly license: string; readonly source: LockedBlob };
  /** clang and lld, by the architecture of the machine that builds; both compile for every target. */
  readonly compiler: Readonly<Record<Architecture, LockedPackages>>;
  /** The C library (musl, static) and the compiler's own helper library, by target. */
  readonly target: Readonly<Record<Architecture, LockedPackages>>;
}

export const PINS: NodeProgramPins = pinned;
