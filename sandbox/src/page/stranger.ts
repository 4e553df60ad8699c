/** Owns the hostile frame of a sandbox page: a message into the panel from an origin that is not the host's. */

/** Sends the message from a frame with an opaque origin, as a foreign script on the page could. */
export function strangerSays(message: unknown, target: HTMLIFrameElement | undefined): void {
  // Frames are numbered in the order they came, which is not the document's order once one was made anew.
  const index = Array.from({ length: window.length }, (_, at) => window[at]).indexOf(
    target?.contentWindow ?? undefined,
  );
  const stranger = document.createElement('iframe');
  stranger.setAttribute('sandbox', 'allow-scripts');
  stranger.hidden = true;
  const script = `parent.frames[${index}].postMessage(${JSON.stringify(message)}, '*')`;
  stranger.srcdoc = `<script>${script.replaceAll('</', '<\\/')}</script>`;
  document.body.append(stranger);
}
