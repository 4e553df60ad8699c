/** One side of a recording beside its picture: who it is, and whether one hears it. */
import { words } from './words.ts';

export function ChannelSide({
  name,
  isHeard,
  isAlone,
  mute,
  only,
}: {
  readonly name: string;
  readonly isHeard: boolean;
  readonly isAlone: boolean;
  readonly mute: () => void;
  readonly only: () => void;
}) {
  return (
    <div class="player-side">
      <span class="player-name">{name}</span>
      <button
        type="button"
        class="button-link"
        aria-label={words.playerMute(name)}
        aria-pressed={!isHeard}
        onClick={mute}
      >
        {words.playerMuteShort}
      </button>
      <button
        type="button"
        class="button-link"
        aria-label={words.playerOnly(name)}
        aria-pressed={isAlone}
        onClick={only}
      >
        {words.playerOnlyShort}
      </button>
    </div>
  );
}
