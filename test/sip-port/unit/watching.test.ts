// @vitest-environment jsdom
/** What the phone makes of dialog-info documents and message summaries, as real servers write them. */
import { describe, expect, it } from 'vitest';
import { DialogInfo } from '../../../packages/phone-engine/src/sip/dialog-info.ts';
import { readSummary } from '../../../packages/phone-engine/src/sip/message-summary.ts';
import { ownDevice } from '../../../packages/phone-engine/src/sip/redirection.ts';

const info = (version: number, state: 'full' | 'partial', ...dialogs: readonly string[]): string =>
  `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="${state}" entity="sip:2001@example.test">${dialogs.join('')}</dialog-info>`;
const dialog = (state: string, more = '', inside = ''): string =>
  `<dialog id="d1" call-id="c-1@host" local-tag="lt" remote-tag="rt" ${more}><state>${state}</state>${inside}</dialog>`;
const remote = '<remote><identity display="Ada &amp; Co">sip:+14155550101@example.test</identity></remote>';
const having = (...documents: readonly string[]) => {
  const read = new DialogInfo();
  for (const document of documents) expect(read.take(document)).toBe(true);
  return read;
};

describe('a watched extension', () => {
  it('is free without a dialog', () => {
    expect(having(info(0, 'full')).show('2001')).toEqual({
      extension: '2001',
      status: 'free',
      farSide: null,
      direction: null,
      canTake: false,
    });
  });

  it('rings, talks and is free again, and says with whom', () => {
    const read = having(info(0, 'full', dialog('early', 'direction="recipient"', remote)));
    expect(read.show('2001')).toMatchObject({
      status: 'ringing',
      direction: 'inbound',
      farSide: { number: '+14155550101', name: 'Ada & Co' },
      canTake: true,
    });
    expect(read.replaces()).toBe('c-1@host;to-tag=lt;from-tag=rt;early-only');
    expect(read.take(info(1, 'partial', dialog('confirmed', 'direction="recipient"', remote)))).toBe(true);
    expect(read.show('2001').status).toBe('busy');
    expect(read.replaces()).toBe('c-1@host;to-tag=lt;from-tag=rt');
    expect(read.take(info(2, 'partial', dialog('terminated')))).toBe(true);
    expect(read.show('2001').status).toBe('free');
  });

  it('is busy, and not ringing, while it calls somebody', () => {
    expect(having(info(0, 'full', dialog('early', 'direction="initiator"'))).show('2001').status).toBe('busy');
    expect(having(info(0, 'full', dialog('trying', 'direction="recipient"'))).show('2001').status).toBe('busy');
  });

  it('holds its call when its sound is not rendered', () => {
    const held = '<local><target uri="sip:2001@host"><param pname="+sip.rendering" pval="no"/></target></local>';
    expect(having(info(0, 'full', dialog('confirmed', '', held))).show('2001').status).toBe('held');
  });

  it('has its call where its phone is, as far as that is in the own domain', () => {
    const at = (uri: string) => {
      const local = `<local><target uri="${uri}"/></local>`;
      return ownDevice(having(info(0, 'full', dialog('confirmed', '', local))).localTarget, 'pbx.example')?.toString();
    };
    expect(at('sip:2001-desk@pbx.example;gr=urn:uuid:1-2;transport=ws')).toBe(
      'sip:2001-desk@pbx.example;gr=urn:uuid:1-2',
    );
    expect(at('sip:2001@PBX.example')).toBe('sip:2001@pbx.example');
    expect(at('sip:2001@10.0.0.5:5060')).toBeUndefined();
    expect(at('')).toBeUndefined();
  });

  it('can’t be taken over where the identifiers are missing or not fit for a header', () => {
    const without = '<dialog id="d"><state>confirmed</state></dialog>';
    expect(having(info(0, 'full', without)).show('2001').canTake).toBe(false);
    const hostile =
      '<dialog id="d" call-id="a;b&#10;Evil: 1" local-tag="l" remote-tag="r"><state>early</state></dialog>';
    expect(having(info(0, 'full', hostile)).replaces()).toBeNull();
  });

  it('keeps what is newer, and starts again from a full document', () => {
    const read = having(
      info(5, 'full', dialog('confirmed')),
      info(4, 'partial', dialog('terminated')),
      info(5, 'partial', dialog('terminated')),
    );
    expect(read.show('2001').status).toBe('busy');
    expect(read.take(info(0, 'full'))).toBe(true);
    expect(read.show('2001').status).toBe('free');
  });

  it('drops what is no dialog-info', () => {
    for (const text of ['', 'x', '<a/>', '<dialog-info', info(1, 'full').slice(0, 40)])
      expect(new DialogInfo().take(text)).toBe(false);
  });
});

describe('a message summary', () => {
  it('counts, where it is told', () => {
    expect(readSummary('Messages-Waiting: yes\r\nVoice-Message: 2/8 (0/2)\r\n')).toEqual({
      waiting: true,
      newMessages: 2,
      oldMessages: 8,
    });
    expect(readSummary('messages-waiting: NO\nmessage-account: sip:a@b\nvoice-message: 0/3\n')).toEqual({
      waiting: false,
      newMessages: 0,
      oldMessages: 3,
    });
    expect(readSummary('Messages-Waiting: yes\r\n')).toEqual({ waiting: true, newMessages: 1, oldMessages: 0 });
    expect(readSummary('Messages-Waiting: yes\r\nVoice-Message: 999999999/1')).toMatchObject({ newMessages: 9_999 });
  });

  it('is nothing else', () => {
    for (const text of ['', 'Voice-Message: 1/0', '<xml/>']) expect(readSummary(text)).toBeNull();
  });
});
