/** Where the configuration has sound lie. Owns the names of both places. */
import { join } from 'node:path';
import type { RecordingSettings } from '../config/recordings.ts';
import { BucketPlace } from './bucket-place.ts';
import { FolderPlace } from './folder-place.ts';
import type { SoundPlace } from './sound-place.ts';

interface PlaceConfig {
  readonly dataDir: string;
  readonly recordings: Pick<RecordingSettings, 'folder' | 'bucket'>;
}

export function recordingPlace({ dataDir, recordings }: PlaceConfig): SoundPlace {
  const { bucket, folder } = recordings;
  return bucket === undefined ? new FolderPlace(folder ?? join(dataDir, 'recordings')) : new BucketPlace(bucket, '');
}

/** Voicemails lie in the same place, apart: a relay that does not know of them sweeps recordings alone. */
export function voicemailPlace({ dataDir, recordings }: PlaceConfig): SoundPlace {
  const { bucket, folder } = recordings;
  if (bucket !== undefined) return new BucketPlace(bucket, 'voicemails/');
  return new FolderPlace(join(folder ?? join(dataDir, 'recordings'), 'voicemails'));
}
