/**
 * Where the audio thread's script for noise suppression lies, and RNNoise itself. The page's policy lets both come from the relay only: the build
 * writes them beside the script that asks, and puts their names in here.
 */
export const noiseWorkletAddress = (): string => new URL('./noise-worklet.ts', import.meta.url).href;
export const rnnoiseAddress = (): string => new URL('./rnnoise.wasm', import.meta.url).href;
