/** `npm run salesforce -- <command>`: puts the Salesforce source into an org, tries the org out, takes the assignments back. */
import { salesforceCommand } from './salesforce/command.ts';

process.exitCode = await salesforceCommand(process.argv.slice(2), {
  root: process.cwd(),
  log: (line) => console.log(line),
});
