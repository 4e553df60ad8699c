/**
 * Owns opening the microphone, and saying in plain words why it does not open. Must never keep it open: whoever asked holds the track and stops it.
 */
import { PatchcordError } from '@patchcord/call-protocol';

/** The parts of a window this needs. */
export interface MicrophoneHost {
  readonly navigator: { readonly mediaDevices?: Pick<MediaDevices, 'getUserMedia'> };
  readonly document: Document;
  readonly isSecureContext: boolean;
}

/**
 * Opens the microphone with echo cancellation, noise suppression and gain control.
 * @param instead what is asked of the browser instead of that
 * @param id a device id; `default` follows the system. When the device is not there any more, the system's one is opened instead.
 * @throws PatchcordError `media.denied`, `media.no-device`, `media.failed`.
 */
export async function openMicrophone(
  host: MicrophoneHost,
  id: string,
  instead: MediaTrackConstraints,
): Promise<MediaStreamTrack> {
  const devices = host.navigator.mediaDevices;
  if (!devices)
    throw new PatchcordError(
      'media.denied',
      host.isSecureContext
        ? 'This browser gives no access to microphones. Use a current Chrome, Edge, Firefox or Safari.'
        : 'The page was not loaded over https, so the browser gives no access to the microphone. Ask your administrator to serve it over https.',
    );
  if (hostForbids(host.document))
    throw new PatchcordError(
      'media.denied',
      'The page around this phone does not pass on the microphone. The frame needs allow="microphone; autoplay"; ask your administrator to check the CRM\'s settings, or open the phone in its own window.',
    );
  try {
    return await take(devices, instead, id === 'default' ? undefined : id);
  } catch (error) {
    const name = nameOf(error);
    if (id !== 'default' && (name === 'OverconstrainedError' || name === 'NotFoundError')) {
      try {
        return await take(devices, instead, undefined);
      } catch (second) {
        throw explain(second);
      }
    }
    throw explain(error);
  }
}

async function take(
  devices: Pick<MediaDevices, 'getUserMedia'>,
  instead: MediaTrackConstraints,
  id: string | undefined,
): Promise<MediaStreamTrack> {
  const stream = await devices.getUserMedia({
    audio: {
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      channelCount: 1,
      ...instead,
      ...(id === undefined ? {} : { deviceId: { exact: id } }),
    },
  });
  const track = stream.getAudioTracks()[0];
  if (!track) throw new DOMException('no audio track', 'NotFoundError');
  return track;
}

/** Permissions policy of the frame (the host decides); `featurePolicy` is Chromium's older name, the newer one is not everywhere yet. */
function hostForbids(document: Document): boolean {
  const policed = document as Document & {
    readonly permissionsPolicy?: { allowsFeature(feature: string): boolean };
    readonly featurePolicy?: { allowsFeature(feature: string): boolean };
  };
  const policy = policed.permissionsPolicy ?? policed.featurePolicy;
  return policy !== undefined && !policy.allowsFeature('microphone');
}

function explain(error: unknown): PatchcordError {
  const options = { retryable: true, cause: error };
  switch (nameOf(error)) {
    case 'NotAllowedError':
    case 'SecurityError':
      return new PatchcordError(
        'media.denied',
        'The browser blocks the microphone for this page. Click the icon left of the address, allow the microphone, and call again.',
        options,
      );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new PatchcordError(
        'media.no-device',
        'No microphone was found. Plug one in or choose another in the sound settings.',
        options,
      );
    case 'NotReadableError':
    case 'AbortError':
      return new PatchcordError(
        'media.failed',
        'The microphone is in use by another program, or the system refused it. Close the other program or choose another microphone.',
        options,
      );
    default:
      return new PatchcordError(
        'media.failed',
        'The microphone could not be opened. Choose another one in the sound settings, or restart the browser.',
        options,
      );
  }
}

function nameOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';
}
