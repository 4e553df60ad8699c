import { PatchcordError } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { createLog, loggable, maskNumber, maskText } from '../../../server/src/logging.ts';

function lines(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const written: string[] = [];
  write(createLog('trace', { write: (line: string) => void written.push(line) }));
  return written.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('masks the middle of a number and leaves an extension alone', () => {
  expect(maskNumber('+14155550101')).toBe('+1415•••0101');
  expect(maskNumber('(415) 555-0101')).toBe('4155•••0101');
  expect(maskNumber('1001')).toBe('1001');
  expect(maskText('call from +14155550101 to 4930123456 by 1001')).toBe(
    'call from +1415•••0101 to 4930•••3456 by 1001',
  );
});

it('leaves alone what only looks like a number', () => {
  for (const text of [
    '2026-11-21T11:00:00.000Z',
    '7f3c1a9e-1234-4567-8901-123456789012',
    'http://127.0.0.1:38707/v1',
    '192.168.100.200',
    'v1.12345678',
  ]) {
    expect(maskText(text)).toBe(text);
  }
});

it('masks numbers wherever they stand in a line: fields, messages, errors, causes', () => {
  const cause = new Error('no answer from +442079460018');
  const [line] = lines((log) =>
    log.info(
      {
        callId: '7f3c1a9e-1234-4567-8901-123456789012',
        farSide: { number: '+14155550101', name: 'Grace' },
        list: ['+4930123456'],
        at: 1_790_000_000_000,
        err: new PatchcordError('crm.invalid', 'cannot write +14155550101', { cause }),
      },
      'dialling +14155550101',
    ),
  );
  const text = JSON.stringify(line);
  for (const digits of ['14155550101', '442079460018', '4930123456']) expect(text).not.toContain(digits);
  expect(line).toMatchObject({
    level: 'info',
    callId: '7f3c1a9e-1234-4567-8901-123456789012',
    at: 1_790_000_000_000,
    farSide: { number: '+1415•••0101', name: 'Grace' },
    err: { code: 'crm.invalid', type: 'PatchcordError' },
    msg: 'dialling +1415•••0101',
  });
});

it('never writes a secret, whatever it is called', () => {
  const secrets = {
    token: 'canary',
    accessToken: 'canary',
    sip: { password: 'canary', secret: 'canary' },
    headers: { authorization: 'Bearer canary', cookie: 'canary', 'x-hubspot-signature-v3': 'canary' },
    proof: { kind: 'pairing-code', code: 'canary' },
    credential: 'canary',
    private_key: 'canary',
    assertion: 'canary',
  };
  expect(JSON.stringify(lines((log) => log.warn(secrets, 'look')))).not.toContain('canary');
});

it('keeps the code of an error that is a name, and survives a loop', () => {
  expect(loggable(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toMatchObject({ code: 'ECONNREFUSED' });
  const loop: Record<string, unknown> = {};
  loop.loop = loop;
  expect(JSON.stringify(loggable(loop))).toContain('[deep]');
});
