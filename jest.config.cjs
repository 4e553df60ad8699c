/** Tests of the Lightning Web Components, by Salesforce's own preset. `scripts/test-lwc.ts` runs them. */
const { jestConfig } = require('@salesforce/sfdx-lwc-jest/config');

const mocks = '<rootDir>/force-app/test/jest-mocks';

module.exports = {
  ...jestConfig,
  roots: ['<rootDir>/force-app'],
  testRegex: 'force-app/main/default/lwc/.*/__tests__/.*\\.test\\.js$',
  moduleNameMapper: {
    '^test/settled$': '<rootDir>/force-app/test/settled',
    '^lightning/messageService$': `${mocks}/lightning/messageService`,
    '^@salesforce/messageChannel/Patchcord_Phone__c$': `${mocks}/phoneChannel`,
    '^@salesforce/apex$': `${mocks}/apex`,
    '^@salesforce/i18n/timeZone$': `${mocks}/timeZone`,
  },
  // axe takes its time on a busy machine.
  testTimeout: 30_000,
  setupFilesAfterEnv: [...jestConfig.setupFilesAfterEnv, '<rootDir>/force-app/test/setup.js'],
};
