/** What is counted of the sound of calls. Owns these names; labels stay bounded. */
import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';

export interface SoundMetrics {
  readonly streams: Gauge;
  readonly frames: Counter<'result'>;
  readonly gaps: Counter<'why'>;
  readonly lines: Counter<'kind'>;
  readonly parts: Counter<'result'>;
  readonly added: Histogram<'way'>;
}

export function createSoundMetrics(registry: Registry): SoundMetrics {
  const registers = [registry];
  return {
    streams: new Gauge({
      name: 'patchcord_sound_streams',
      help: 'Calls whose sound is transcribed or recorded here.',
      registers,
    }),
    frames: new Counter({
      name: 'patchcord_sound_frames_total',
      help: 'Frames of sound: heard, repeated (heard before) or refused (malformed, too many).',
      labelNames: ['result'],
      registers,
    }),
    gaps: new Counter({
      name: 'patchcord_sound_gaps_total',
      help: 'Stretches that transcripts lack, by the side that was not heard: lost (of phones or the speech service) or paused.',
      labelNames: ['why'],
      registers,
    }),
    lines: new Counter({
      name: 'patchcord_sound_lines_total',
      help: 'Lines of transcripts that a speech service heard: partial or final.',
      labelNames: ['kind'],
      registers,
    }),
    parts: new Counter({
      name: 'patchcord_recording_parts_total',
      help: 'Parts of recordings: stored, failed (tried again), or cut (a pause took from what was written).',
      labelNames: ['result'],
      registers,
    }),
    added: new Histogram({
      name: 'patchcord_sound_added_seconds',
      help: 'What the relay adds to the time of the speech service: in (frame → service) and out (words → told).',
      labelNames: ['way'],
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
      registers,
    }),
  };
}
