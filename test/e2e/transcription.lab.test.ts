/** What is said in a call is read by everybody who may, on Kamailio and rtpengine, with baresip at the far side; also when the relay is killed meanwhile. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { type LabNetwork, labFromEnvironment } from '../sip-lab/namespaces.ts';
import { writeWav } from '../sip-lab/tone.ts';
import { speak } from '../speech/tone-alphabet.ts';
import { syllableMs, syllableTimes, textOf } from './mouths.ts';
import { untilWhole, wordsOnceSaid } from './said-whole.ts';
import { type FarMouth, openSpokenStage, patience, type SpokenStage } from './spoken-calls.ts';
import { keptInHubSpot, keptInSalesforce, onRecordPage, transcriptsInSalesforce } from './spoken-logs.ts';
import { until } from './telephony.ts';

const rate = 8_000;
/** No call of these is as long. */
const silenceAfter = new Float32Array(rate * 300);

let edge: Edge;
let phone: Baresip;
let it: SpokenStage;
let far: LabMouth;
beforeAll(async () => {
  const lab = labFromEnvironment();
  const credentialSecret = randomBytes(32).toString('base64url');
  const turnSecret = randomBytes(32).toString('base64url');
  edge = await startEdge(lab, { credentialSecret, turnSecret });
  const address = lab.far.addresses[0] ?? expect.fail('the laboratory has no address for a phone');
  phone = await startBaresip(lab, { user: '+14155550103', address, toneHz: 600, autoAnswer: true });
  it = await openSpokenStage({
    domain: edge.domain,
    servers: [edge.wssUrl],
    credentialSecret,
    turn: { urls: [edge.turnUrl], secret: turnSecret },
    revocation: { kamailioRpcUrl: edge.rpcUrl },
    callAgent: (extension) => phone.dial(extension),
  });
  far = baresipMouth(lab, phone);
}, 120_000);
afterAll(async () => {
  await it?.close();
  await phone?.stop();
  await edge?.stop();
});

interface LabMouth extends FarMouth {
  /** Before a call, which else begins with the file of the one before. */
  hush(): Promise<void>;
}

/** Each text is a file of its own that the phone plays from then on. */
function baresipMouth(lab: LabNetwork, { speak: play }: Baresip): LabMouth {
  let files = 0;
  let until = 0;
  return {
    async hush() {
      const path = join(lab.folder, 'silence.wav');
      writeWav(path, { rate, samples: silenceAfter });
      await play(path);
    },
    async say(words) {
      if (words.length === 0) return;
      const pcm = speak(words, { alphabet: 'far', rate, ...syllableTimes });
      const samples = new Float32Array(pcm.length + silenceAfter.length);
      pcm.forEach((sample, at) => {
        samples[at] = sample / 32_768;
      });
      files += 1;
      const path = join(lab.folder, `said-${files}.wav`);
      writeWav(path, { rate, samples });
      await play(path);
      // It plays by the clock. Whoever speaks next takes the rest of this away, so a little is left for it.
      until = Date.now() + words.length * syllableMs + 500;
    },
    get isSilent() {
      return Date.now() >= until;
    },
  };
}

const polled = { timeout: patience, interval: 200 };

test('panel, record page and the call in Salesforce have every one of 200 syllables, each side its own', async () => {
  const [agent, farSide] = [textOf('near', 100, 31), textOf('far', 100, 32)];
  const text = { agent: agent.join(' '), 'far-side': farSide.join(' ') };
  await untilWhole(text, async () => {
    await far.hush();
    const call = await it.call(it.salesforce, far);
    await call.say(agent, farSide);
    const read = await wordsOnceSaid(text, call.inPanel);
    await expect.poll(() => onRecordPage(call), polled).toEqual(read);
    const before = transcriptsInSalesforce(it.stage).length;
    await call.finish();
    expect(await keptInSalesforce(it.stage, before)).toEqual(read);
    return read;
  });
}, 300_000);

test('panel, supervisor and the call in HubSpot have every syllable, also of the sentence in which the relay was killed', async () => {
  const [agent, farSide] = [textOf('near', 50, 21), textOf('far', 50, 22)];
  const [more, moreFar] = [textOf('near', 30, 23), textOf('far', 30, 24)];
  const first = { agent: agent.join(' '), 'far-side': farSide.join(' ') };
  const all = { agent: `${first.agent} ${more.join(' ')}`, 'far-side': `${first['far-side']} ${moreFar.join(' ')}` };
  await untilWhole(all, async () => {
    await far.hush();
    const supervisor = await it.supervise();
    const call = await it.call(it.hubspot, far);
    await call.say(agent, farSide);
    const begun = await wordsOnceSaid(first, call.inPanel);
    await expect.poll(supervisor.words, polled).toEqual(begun);
    supervisor.close();

    const heard = it.ears.heard.length;
    const saying = call.say(more, moreFar);
    await until('both in the middle of it', () => (it.ears.heard.length > heard + 12 ? true : undefined), patience);
    await it.relay.kill();
    await it.stage.restartRelay();
    await saying;
    const read = await wordsOnceSaid(all, call.inPanel);
    expect(await (await call.panel()).locator('.transcript-gap').count()).toBe(0);
    const before = it.stage.hubspot.transcripts.all().length;
    await call.finish();
    expect(await keptInHubSpot(it.stage, before)).toEqual(read);
    return read;
  });
}, 300_000);
