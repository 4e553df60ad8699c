/** An account to start a phone with, and far sides to call. No secret in it is one. */
import type { Party } from '@patchcord/call-protocol';
import type { SipAccount, SipCredential } from '@patchcord/phone-engine';

export const account: SipAccount = {
  domain: 'example.test',
  servers: ['wss://sip.example.test'],
  extension: '2001',
  displayName: 'Grace Example',
  registerSeconds: 300,
  instance: '7d6a0c5e-4a52-4a4b-9a6f-1f2b3c4d5e6f',
  candidates: 'first-host',
  iceTransportPolicy: 'all',
  outboundProxy: null,
  failBackSeconds: 300,
  codecs: ['opus', 'G722', 'PCMU', 'PCMA'],
  opus: { fec: true, dtx: false },
  digits: 'rfc4733',
  followTransfers: false,
  callerIdIn: 'p-preferred-identity',
  sessionSeconds: 0,
  recovery: { way: 'auto', applications: [], known: [] },
};

export const credential: SipCredential = {
  username: '1700003600:2001',
  password: 'fake',
  expiresAt: 1_700_003_600_000,
};

export const ada: Party = { number: '+14155550101', name: 'Ada Example' };
export const bob: Party = { number: '2002', name: 'Bob Example' };
