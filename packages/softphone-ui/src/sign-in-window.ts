/**
 * Signing in at an identity provider, in a window of its own (no provider lets itself be framed). Owns the window and what binds it to this
 * page: a verifier that only this page knows, whose hash goes along; what comes back is worth nothing without it.
 */
import { type IdentityProof, SignInMessageSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { base64url } from './session-key.ts';

/** Opens the window. Must be called while a click is handled. Null when the agent closed it, or the browser did not let it open. */
export type OpenSignIn = (path: string) => Promise<IdentityProof | null>;

const lookMs = 500;

/** @param page Our own window. @param origin The relay's: where the sign-in begins and ends, and the only origin that is listened to. */
export function createSignInWindow(page: Window, origin: string): OpenSignIn {
  return async (path) => {
    // First the window, empty, then what takes time: a browser blocks windows that open later than the click.
    const opened = page.open('', '_blank', 'popup,width=480,height=680');
    if (opened === null) return null;
    const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
    const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
    opened.location.replace(`${origin}${path}?challenge=${challenge}`);
    return await new Promise((resolve) => {
      const look = setInterval(() => {
        if (opened.closed) finish(null);
      }, lookMs);
      function hear({ origin: from, source, data }: MessageEvent<unknown>): void {
        const message = v.safeParse(SignInMessageSchema, data);
        if (from !== origin || source !== opened || !message.success) return;
        finish({ kind: 'sign-in', claim: message.output.claim, verifier });
      }
      function finish(proof: IdentityProof | null): void {
        clearInterval(look);
        page.removeEventListener('message', hear as EventListener);
        resolve(proof);
      }
      page.addEventListener('message', hear as EventListener);
    });
  };
}
