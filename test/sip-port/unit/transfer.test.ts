import { FakeClock } from '@patchcord/phone-engine/testing';
import type { Notification } from 'sip.js/lib/api/notification.js';
import type { Session as Dialog } from 'sip.js/lib/core/session/session.js';
import { beforeEach, describe, expect, it } from 'vitest';
import { tellableCallId } from '../../../packages/phone-engine/src/sip/sip-call.ts';
import { Transfer } from '../../../packages/phone-engine/src/sip/transfer.ts';

let told: string[];
let transfer: Transfer;
let accept: () => void;

beforeEach(() => {
  told = [];
  transfer = new Transfer(new FakeClock(), {
    onRinging: () => told.push('ringing'),
    onDone: () => told.push('done'),
    onRefused: (reason) => told.push(reason),
  });
  const dialog = { refer: (delegate: { onAccept(): void }) => (accept = () => delegate.onAccept()) };
  transfer.start(dialog as unknown as Dialog, '<sip:2002@example.test>', 'sip:1001@example.test', '<sip:1001@here>');
});

function report(status: string): void {
  const notification = { accept: async () => {}, request: { getHeader: () => 'refer', body: `SIP/2.0 ${status}` } };
  transfer.take(notification as unknown as Notification);
}

describe('a transfer whose far side hangs up', () => {
  it('is done when the far side had accepted it and reported nothing yet', () => {
    accept();
    report('100 Trying');
    transfer.farSideLeft();
    expect(told).toEqual(['done']);
  });

  it('is not done when the target was still ringing: the far side has given up', () => {
    accept();
    report('180 Ringing');
    transfer.farSideLeft();
    expect(told).toEqual(['ringing']);
    expect(transfer.settled).toBe(true);
  });

  it('is not done when the far side had not accepted it', () => {
    transfer.farSideLeft();
    expect(told).toEqual([]);
  });
});

it('cuts a Call-ID that would not fit into an event', () => {
  expect(tellableCallId('x'.repeat(400))).toHaveLength(255);
  expect(tellableCallId('short@host')).toBe('short@host');
});
