/**
 * Where the audio thread's script lies. The page's policy lets it come from the relay only, as every script (no `blob:`): the build writes it beside
 * the script that asks, and puts its name in here.
 */
export const workletAddress = (): string => new URL('./tap-worklet.ts', import.meta.url).href;
