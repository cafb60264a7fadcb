/**
 * MESSAGE_ID of each event: never changed, never used for anything else (sd-id128(3)). docs/generations.md has the table for people; a test
 * holds it to this one.
 */
export const MESSAGE_IDS = {
  /** The node was adopted. */
  adopted: '60eec3723947800867c6f56f683c8b05',
  /** A pair was put on trial. */
  'on-trial': '4a94570aee940a6dd6c77d6d76abaa1d',
  /** A pair on trial started. */
  started: '947335f07f47462e413e0431f1426fff',
  /** A pair became good. */
  good: '4ddc7c7052a94b79520a5437e93aff08',
  /** A pair was found bad. */
  bad: 'e6b235f9eb95922f821dfb0155efd32b',
  /** A try was given back: the boot said nothing about the pair. */
  'try-given-back': 'f15a96d4f8d500b0c3f66486d087d590',
  /** An earlier good pair was asked for. */
  'going-back': '259b8a286fddcaa8cc8d50a57d09cfb8',
  /** A datastore snapshot will be put back. */
  'restore-ahead': '404d1ac6bd41e05cff530be551fa500f',
  /** A datastore snapshot was put back. */
  restored: 'cf2560ade3f618a7a9ca2bf0091b31f6',
  /** A pair was pinned. */
  pinned: 'ffbe1c730df4e3e690f968d0763dfb52',
  /** A pair is no longer pinned. */
  unpinned: '662579b0f0f602650272269927532fff',
  /** A generation was forgotten by the housekeeping. */
  forgotten: 'c14b21b85a7a69dd93747e1f3b665c6b',
  /** Nothing of ours runs any more. */
  retired: 'eaa30b888c7e3c537d09564245c813f4',
} as const;

export type EventName = keyof typeof MESSAGE_IDS;
