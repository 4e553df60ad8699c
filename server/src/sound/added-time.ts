/**
 * What the relay itself adds to the time of a speech service: from a frame's arrival to its handing over, and from the service's words to their
 * telling. Owns the stopwatch around a service; what waits for a service that is away, or is sent again, is the service's time, not ours.
 */
import type { SpeechToText } from '../speech/speech-to-text.ts';
import type { SoundMetrics } from './sound-metrics.ts';

/** The service to use in the place of the one that is watched, and the marks around it. */
export function addedTime(
  service: SpeechToText,
  { added }: Pick<SoundMetrics, 'added'>,
): { readonly service: SpeechToText; arrived(): void; passed(): void; told(): void } {
  let arrivedAt = 0;
  let heardAt = 0;
  return {
    service: {
      ...(service.fastest === undefined ? {} : { fastest: service.fastest }),
      open: (request, listener) => {
        const session = service.open(request, {
          heard: (words) => {
            heardAt = performance.now();
            listener.heard(words);
            heardAt = 0;
          },
          opened: () => listener.opened?.(),
          ended: (end) => listener.ended(end),
        });
        return {
          send: (pcm) => {
            session.send(pcm);
            if (arrivedAt > 0) added.observe({ way: 'in' }, (performance.now() - arrivedAt) / 1_000);
          },
          get waitingBytes() {
            return session.waitingBytes;
          },
          finish: (withinMs) => session.finish(withinMs),
          drop: () => session.drop(),
        };
      },
    },
    arrived: () => {
      arrivedAt = performance.now();
    },
    passed: () => {
      arrivedAt = 0;
    },
    told: () => {
      if (heardAt > 0) added.observe({ way: 'out' }, (performance.now() - heardAt) / 1_000);
    },
  };
}
