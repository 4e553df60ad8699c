/** For the environment of a process of ours: where Node finds what it compiled for another one before it (scripts/test.ts). Nothing where nobody keeps it. */
const kept = process.env.NODE_COMPILE_CACHE;
export const compiledBefore: Readonly<Record<string, string>> = kept === undefined ? {} : { NODE_COMPILE_CACHE: kept };
