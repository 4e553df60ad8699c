/**
 * A browser with the phone page, and a scripted PBX for each test: what every test of calls begins and ends with. Owns the hooks; must never decide
 * what a test looks at.
 */
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx, type ScriptedPbxOptions } from './scripted-pbx.ts';

/** The agent's tone. */
const ourTone = 440;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };

export class PhoneDesk {
  #pbx: ScriptedPbx | undefined;
  #phone: PhoneInBrowser | undefined;
  #browser: TestBrowser | undefined;
  #server: PhonePageServer | undefined;

  /** Registers the hooks of a test file. */
  constructor() {
    beforeAll(async () => {
      [this.#browser, this.#server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
    });
    afterAll(async () => {
      await this.#browser?.close();
      await this.#server?.close();
    });
    afterEach(async () => {
      const errors = await this.phone.errors();
      await this.phone.stop();
      await this.phone.page.close();
      await this.pbx.close();
      // Every rejected promise is handled and nothing is thrown into the page, whatever the far side did.
      expect(errors).toEqual([]);
    });
  }

  get pbx(): ScriptedPbx {
    if (!this.#pbx) throw new Error('Nothing is set up yet.');
    return this.#pbx;
  }
  get phone(): PhoneInBrowser {
    if (!this.#phone) throw new Error('Nothing is set up yet.');
    return this.#phone;
  }

  /** A registered phone. */
  async set(changes: Parameters<typeof accountFor>[2] = {}, options: ScriptedPbxOptions = {}): Promise<void> {
    if (!this.#browser || !this.#server) throw new Error('The browser is not there.');
    this.#pbx = await ScriptedPbx.start(options);
    this.#phone = await PhoneInBrowser.open(await this.#browser.newPage(), this.#server);
    await this.phone.start(accountFor(this.pbx, '1001', changes), credential);
    await this.phone.next('sip.registered');
  }

  /** An outbound call that the far end answered. */
  async connected(far: 0 | 1 = 0): Promise<{ readonly call: CallId; readonly theirs: FarCall }> {
    const { call } = await this.phone.dial(this.pbx.far[far].target);
    const theirs = await this.pbx.far[far].answers();
    await this.phone.next('sip.answered', call);
    return { call, theirs };
  }

  /** An inbound call that the agent answered. */
  async called(far: 0 | 1 = 0): Promise<{ readonly call: CallId; readonly theirs: FarCall }> {
    await this.pbx.far[far].invites();
    const { signal } = await this.phone.next('sip.invited');
    await this.phone.answer(signal.call);
    const theirs = await this.pbx.far[far].answered();
    await this.phone.next('sip.answered', signal.call);
    return { call: signal.call, theirs };
  }

  /** The text of every request of one method that the phone has sent. */
  async requests(method: string): Promise<string[]> {
    return (await this.phone.sent()).map(({ text }) => text).filter((text) => text.startsWith(`${method} `));
  }
}

/** The value of a header in the text of a message; empty when it is not there. */
export function headerOf(text: string | undefined, name: string): string {
  return new RegExp(`^${name}: *(.*)$`, 'im').exec(text ?? '')?.[1]?.trim() ?? '';
}
