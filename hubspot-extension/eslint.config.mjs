/** HubSpot's own rules for UI extensions, with its warnings as errors: a card that HubSpot's build would complain about is not done. */
import { config as uiExtensions } from '@hubspot/eslint-config-ui-extensions';

export default [
  ...uiExtensions,
  {
    files: ['**/*.{js,jsx,ts,tsx}'],
    rules: {
      '@hubspot/ui-extensions/no-console': 'error',
      '@hubspot/ui-extensions/no-experimental-imports': 'error',
    },
  },
];
