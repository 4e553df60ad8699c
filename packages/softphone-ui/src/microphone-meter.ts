/**
 * How loud a microphone is. Owns the measuring while it goes on; the track is whoever's who measures.
 */

export interface Meter {
  /** 0 to 100. */
  level(): number;
  close(): void;
}
export type OpenMeter = (track: MediaStreamTrack) => Meter;

/** Above this a voice is there, not only noise. */
export const heardLevel = 12;
export const measureEveryMs = 80;

/** Measures one track until it is closed. */
export function openMicrophoneMeter(track: MediaStreamTrack): Meter {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1_024;
  const source = context.createMediaStreamSource(new MediaStream([track]));
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    level() {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      for (const sample of samples) sum += sample * sample;
      const decibels = 20 * Math.log10(Math.sqrt(sum / samples.length) || 1e-6);
      // −60 dBFS is a quiet room, −10 a loud voice close by.
      return Math.round(Math.min(100, Math.max(0, ((decibels + 60) / 50) * 100)));
    },
    close() {
      source.disconnect();
      void context.close();
    },
  };
}
