/** Owns the hostile frame of a sandbox page: a message into the panel from an origin that is not the host's. */

/** Sends the message from a frame with an opaque origin, as a foreign script on the page could. */
export function strangerSays(message: unknown, target: HTMLIFrameElement | undefined): void {
  const index = target ? [...document.querySelectorAll('iframe')].indexOf(target) : -1;
  const stranger = document.createElement('iframe');
  stranger.setAttribute('sandbox', 'allow-scripts');
  stranger.hidden = true;
  const script = `parent.frames[${index}].postMessage(${JSON.stringify(message)}, '*')`;
  stranger.srcdoc = `<script>${script.replaceAll('</', '<\\/')}</script>`;
  document.body.append(stranger);
}
