/** A page that only plays: the recording that its address names, and no phone around it. */
import { useEffect } from 'preact/hooks';
import type { PlayerModel } from '../panel.ts';
import { CallPlayer } from './call-player.tsx';
import { namedRecording, openListening, openRecordingByAddress } from './listening.ts';
import { words } from './words.ts';

export function RecordingPage({ model }: { readonly model: PlayerModel }) {
  useEffect(() => openRecordingByAddress(model), [model]);
  const listening = openListening.value;
  if (listening !== null) return <CallPlayer key={listening.callId} model={model} listening={listening} />;
  return (
    <p class="recent-note" role="alert">
      {namedRecording() === null && words.playerNoCall}
    </p>
  );
}
