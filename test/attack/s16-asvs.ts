/** S16: the ASVS sheet. Every requirement of levels 1 and 2 must have a test that is there, or a written reason. */
import { readSheet } from '../../scripts/asvs.ts';
import type { Drill } from '../drill.ts';

export const drill: Drill = {
  about: 'OWASP ASVS 5.0: every requirement of levels 1 and 2 has a test or a written reason',
  run: ({ say }) => {
    const { requirements, problems } = readSheet();
    for (const problem of problems) say(problem);
    return Promise.resolve({
      passed: problems.length === 0 && requirements.length === 253,
      tried: requirements.length,
      succeeded: problems.length,
      shownByTests: requirements.filter(({ tests }) => tests.length > 0).length,
      doNotApply: requirements.filter(({ applies, tests }) => !applies && tests.length === 0).length,
    });
  },
};
