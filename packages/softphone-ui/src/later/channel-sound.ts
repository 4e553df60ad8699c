/**
 * The two channels of a recording as an agent hears them: each may be silent, both come to both ears. Owns the WebAudio graph behind one `<audio>`
 * element. Begun by a click: before that a browser lets nothing sound.
 */
export interface ChannelSound {
  /** @param audible For each channel whether it is heard */
  hear(audible: readonly boolean[]): void;
  close(): void;
}

/** @param speaker Device that plays; undefined: the system's own */
export function openChannels(element: HTMLAudioElement, channels: number, speaker: string | undefined): ChannelSound {
  const context = new AudioContext();
  const source = context.createMediaElementSource(element);
  const splitter = context.createChannelSplitter(channels);
  source.connect(splitter);
  const gains = Array.from({ length: channels }, (_, channel) => {
    const gain = context.createGain();
    splitter.connect(gain, channel);
    gain.connect(context.destination);
    return gain;
  });
  if (speaker !== undefined && 'setSinkId' in context) {
    const { setSinkId } = context as { readonly setSinkId: (id: string) => Promise<void> };
    // Where that device is gone the system's own plays.
    setSinkId.call(context, speaker).catch(() => undefined);
  }
  void context.resume();
  return {
    hear(audible) {
      for (const [channel, gain] of gains.entries())
        gain.gain.setTargetAtTime(audible[channel] === false ? 0 : 1, context.currentTime, 0.01);
    },
    close() {
      void context.close();
    },
  };
}
