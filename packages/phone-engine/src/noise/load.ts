/**
 * The way to noise suppression on the device, which nobody loads who does not use it. Must never import statically what is loaded.
 */
export type { NoiseSuppressor, NoiseTrouble } from './index.ts';

/** @throws when it can't be loaded */
export const loadNoiseSuppression = () => import('./index.ts');
