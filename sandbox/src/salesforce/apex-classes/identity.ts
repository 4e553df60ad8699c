/**
 * Owns the class `PatchcordIdentity` as the emulated org runs it: the signed word on who the agent is. Must never sign for another user.
 */
import { type ApexClass, ApexFailure } from './apex-class.ts';

export const patchcordIdentity: ApexClass = {
  name: 'PatchcordIdentity',
  methods: {
    mintAssertion({ auth, user, params }) {
      const { audience } = params;
      if (typeof audience !== 'string' || audience === '')
        throw new ApexFailure(
          'PatchcordIdentity.mintAssertion needs an audience, e.g. audience=https%3A%2F%2Frelay.example.com',
        );
      return JSON.stringify({ assertion: auth.mintAssertion(user, audience) });
    },
  },
};
