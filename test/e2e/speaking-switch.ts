/** The sandbox switch with one caller, Mina Sato, who says what a test wants. */
import { randomBytes } from 'node:crypto';
import { startSwitch } from '@patchcord/sandbox';
import type { Telephony } from '../../scripts/stage.ts';
import { CallerVoice } from './mouths.ts';

export interface SpeakingSwitch {
  readonly telephony: Telephony;
  readonly caller: CallerVoice;
  close(): Promise<void>;
}

export async function startSpeakingSwitch(): Promise<SpeakingSwitch> {
  const caller = new CallerVoice();
  const credentialSecret = randomBytes(32).toString('base64url');
  const board = await startSwitch({
    domain: 'sandbox.patchcord.test',
    credentialSecret,
    callers: [{ number: '+14155550103', name: 'Mina Sato', kind: 'person', voice: caller }],
    sound: 'tones',
    iceAddresses: ['127.0.0.1'],
  });
  return {
    telephony: {
      domain: board.domain,
      servers: [board.url],
      credentialSecret,
      callAgent: async (extension, { from }) => void (await board.callAgent(extension, { callerNumber: from })),
    },
    caller,
    close: () => board.close(),
  };
}
