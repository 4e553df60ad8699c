/**
 * What every panel half promises the phone, run against a host page that speaks the host's real wire. A new host passes this suite, or it is no
 * adapter. Must never know a wire: the subject translates.
 */
import { errorCode, newCallId, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, HostCall, PanelHost, PopTarget } from '@patchcord/crm-adapters/panel';
import { afterEach, describe, expect, it } from 'vitest';

/** A host page around one panel. */
export interface HostPage {
  readonly host: PanelHost;
  /** The page begins to answer as it should. */
  greet(): void;
  /** A person clicks a number that belongs to `record`. */
  click(number: string, record: RecordRef): void;
  /** Sends what no honest page sends: null, texts, half messages, the right message from the wrong sender. */
  misbehave(): void;
  /** The records the page was asked to open. */
  opened(): readonly string[];
  /** The page refuses the next record. */
  refuseNextRecord?(): void;
  close(): void;
}

export interface PanelHostSubject {
  /** A framed panel; `greeting` false: the page never answers. */
  framed(options: { greeting: boolean; hostTimeoutMs: number }): HostPage;
  /** The panel opened as a page of its own. */
  alone(): HostPage;
  /** The panel framed by a page that is not on the list. */
  foreign(): HostPage;
  readonly whenAlone: 'works' | 'host.absent';
  readonly whenForeign: 'host.not-authentic' | 'host.silent';
  /** A record this host can open. */
  readonly record: RecordRef;
  readonly provesIdentity: boolean;
}

export function panelHostContract(name: string, subject: PanelHostSubject): void {
  describe(`${name}: the panel half of a host`, () => {
    let page: HostPage | null = null;
    const open = (made: HostPage): HostPage => {
      page = made;
      return made;
    };
    const started = async (): Promise<HostPage> => {
      const made = open(subject.framed({ greeting: true, hostTimeoutMs: 2_000 }));
      const starting = made.host.start();
      made.greet();
      await starting;
      return made;
    };
    const codeOf = (promise: Promise<unknown>): Promise<string> =>
      promise.then(
        () => 'works',
        (error: unknown) => errorCode(error),
      );
    const call = (): HostCall => ({
      id: newCallId(),
      direction: 'inbound',
      farSide: { number: '+14155550101' },
      startedAt: 1_790_000_000_000,
    });
    afterEach(() => {
      page?.host.stop();
      page?.close();
      page = null;
    });

    it('shakes hands, once or twice', async () => {
      const { host } = await started();
      await host.start();
      expect(host.can.proveIdentity).toBe(subject.provesIdentity);
    });

    it('says so when nobody frames it, or works alone', async () => {
      const made = open(subject.alone());
      expect(await codeOf(made.host.start())).toBe(subject.whenAlone);
    });

    it('keeps away from a page that is not on the list', async () => {
      const made = open(subject.foreign());
      const heard: unknown[] = [];
      made.host.onDialRequested((request) => heard.push(request));
      const code = codeOf(made.host.start());
      made.greet();
      made.click('+14155550101', subject.record);
      expect(await code).toBe(subject.whenForeign);
      expect(heard).toEqual([]);
    });

    it('does not wait for ever for a silent page', async () => {
      const made = open(subject.framed({ greeting: false, hostTimeoutMs: 20 }));
      expect(await codeOf(made.host.start())).toBe('host.silent');
    });

    it('passes on a click with the number as typed and the record that is called', async () => {
      const made = await started();
      const heard: DialRequest[] = [];
      const stop = made.host.onDialRequested((request) => heard.push(request));
      made.click('(415) 555-0101', subject.record);
      expect(heard).toHaveLength(1);
      expect(heard[0]?.number).toBe('(415) 555-0101');
      expect(heard[0]?.record).toMatchObject({ object: subject.record.object, id: subject.record.id });
      stop();
      made.click('(415) 555-0102', subject.record);
      expect(heard).toHaveLength(1);
    });

    it('is not moved by malformed or foreign messages', async () => {
      const made = await started();
      const heard: unknown[] = [];
      made.host.onDialRequested((request) => heard.push(request));
      made.host.onRecordShown((record) => record !== null && heard.push(record));
      made.host.onHangUpRequested(() => heard.push('hang up'));
      made.host.onMatchesFound((...found) => heard.push(found));
      made.misbehave();
      expect(heard).toEqual([]);
    });

    it('opens a record in front of the agent', async () => {
      const made = await started();
      await made.host.pop({ kind: 'record', record: subject.record });
      expect(made.opened()).toEqual([subject.record.id]);
    });

    it('says when the page refuses a record', async () => {
      const made = await started();
      if (made.refuseNextRecord === undefined) return;
      made.refuseNextRecord();
      expect(await codeOf(made.host.pop({ kind: 'record', record: subject.record }))).toBe('host.refused');
    });

    it('refuses to open what it does not name', async () => {
      const { host } = await started();
      const targets: readonly PopTarget[] = [
        { kind: 'search', text: 'Marchetti' },
        { kind: 'new-record', object: 'Contact', fields: {} },
        { kind: 'flow', name: 'Greeting', variables: {} },
        { kind: 'url', url: '/home' },
      ];
      for (const target of targets)
        if (!host.can.pops.includes(target.kind))
          expect(await codeOf(host.pop(target)), target.kind).toBe('host.refused');
    });

    it('has a message channel that never fails, or none', async () => {
      const early = open(subject.framed({ greeting: true, hostTimeoutMs: 2_000 }));
      const { channel } = early.host;
      const heard: unknown[] = [];
      const leave = channel?.onCommand((command) => heard.push(command));
      const tell = (): void => channel?.publish({ type: 'result', id: 'x', ok: true, reason: '' });
      tell();
      const starting = early.host.start();
      early.greet();
      await starting;
      tell();
      leave?.();
      early.host.stop();
      tell();
      expect(heard).toEqual([]);
    });

    it('can be looked at whatever state it is in, and never throws', async () => {
      for (const made of [
        subject.alone(),
        subject.foreign(),
        subject.framed({ greeting: false, hostTimeoutMs: 20 }),
        subject.framed({ greeting: true, hostTimeoutMs: 2_000 }),
      ]) {
        open(made);
        const checks = (await made.host.selfChecks?.()) ?? [];
        expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
        for (const check of checks) {
          const { verdict, found, advice } = await check.run();
          expect(check.title).not.toBe('');
          expect(found).not.toBe('');
          expect(verdict === 'good' || (advice ?? '') !== '', check.id).toBe(true);
        }
        made.host.stop();
        made.close();
      }
    });

    it('takes the life of a call at any time, in any order, more than once', async () => {
      const early = open(subject.framed({ greeting: true, hostTimeoutMs: 2_000 }));
      const live = call();
      const tell = (): void => {
        early.host.showAvailability({ signedIn: true, available: true });
        early.host.showState('ringing', 'Elena Marchetti');
        early.host.callStarted(live);
        early.host.callAnswered(live);
        early.host.callEnded(live, 'answered');
        early.host.logSaved(live, '90001');
        early.host.callCompleted(live);
      };
      tell();
      const starting = early.host.start();
      early.greet();
      await starting;
      tell();
      early.host.callEnded(call(), 'missed');
      early.host.callCompleted(call());
    });

    it('proves who the agent is, or says that it cannot', async () => {
      const made = await started();
      const proof = await made.host.proveIdentity();
      expect(proof === null).toBe(!subject.provesIdentity);
    });

    it('is quiet after it was stopped', async () => {
      const made = await started();
      const heard: unknown[] = [];
      made.host.onDialRequested((request) => heard.push(request));
      made.host.stop();
      made.host.stop();
      made.click('+14155550101', subject.record);
      expect(heard).toEqual([]);
    });
  });
}
