/** A recorded call in the page after its own: it goes on being recorded, its pause outlives the page, and nothing of it is told twice. */
import type { Profile } from '@patchcord/call-protocol';
import { beforeAll, expect, it } from 'vitest';
import { profile } from '../../panel/sample-profile.ts';
import { onlyCall, openLab, openReady, settle, talk, until } from './panel-lab.ts';

// Nothing here waits for a disk.
beforeAll(() => import('../../../packages/softphone-ui/src/transcription/transcription.tsx'));

const recorded = (mode: Profile['recording']['mode']) => ({
  profile: { recording: { ...profile.recording, mode, resumeAfterSeconds: 60 } },
});

it('is recorded on, still paused, for as long as the pause has left', async () => {
  const lab = openLab(recorded('always'));
  const first = await openReady(lab);
  const call = await talk(first);
  await until(() => onlyCall(first).recording === 'on');
  await first.phone().send({ type: 'call.pause-sound', call, paused: true });
  const { soundResumesAt } = onlyCall(first);
  expect(soundResumesAt).toBe(lab.clock.now() + 60_000);
  await settle();
  first.panel.leave();
  await settle();
  first.die();
  lab.clock.advance(20_000);

  const next = await openReady(lab);
  await until(() => onlyCall(next).phase === 'active' && !onlyCall(next).recovering);
  await settle();
  const { recordedFromMs } = onlyCall(first);
  expect(onlyCall(next)).toMatchObject({
    id: call,
    recording: 'on',
    soundPaused: true,
    soundResumesAt,
    recordedFromMs,
  });
  await next.phone().send({ type: 'call.pause-sound', call, paused: false });
  await until(() => lab.relay.names.includes('recording.resumed'));
  expect(lab.relay.names.filter((name) => name.startsWith('recording.'))).toEqual([
    'recording.started',
    'recording.paused',
    'recording.resumed',
  ]);
});

it('is asked about once: who agreed has agreed, and who refused has refused', async () => {
  for (const given of [true, false]) {
    const lab = openLab(recorded('ask'));
    const first = await openReady(lab);
    const call = await talk(first);
    await until(() => onlyCall(first).recording === 'asking');
    await first.phone().send({ type: 'call.consent', call, given });
    await settle();
    first.die();
    const next = await openReady(lab);
    await until(() => onlyCall(next).phase === 'active' && !onlyCall(next).recovering);
    // Whichever page gets through with the answer: it is on disk, and goes out when a page has read it there.
    await until(() => lab.relay.names.some((name) => name.startsWith('consent.')));
    await settle();
    expect(onlyCall(next).recording).toBe(given ? 'on' : 'refused');
    expect(lab.relay.names.filter((name) => name.startsWith('consent.'))).toHaveLength(1);
    next.die();
  }
});

it('loads nothing of it where the profile neither records nor transcribes', async () => {
  const lab = openLab();
  const frame = await openReady(lab);
  const call = await talk(frame);
  await settle();
  expect([frame.model().transcript.value, onlyCall(frame).recordingRule]).toEqual([null, undefined]);
  const refused = await frame.phone().send({ type: 'call.record', call, on: true });
  expect(refused).toMatchObject({ ok: false, code: 'call.not-allowed' });
});
