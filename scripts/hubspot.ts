/** `npm run hubspot -- <command>`: sets the app's calling settings at HubSpot, and tries a real account out. */
import { hubspotCommand } from './hubspot/command.ts';

process.exitCode = await hubspotCommand(process.argv.slice(2), {
  root: process.cwd(),
  env: process.env,
  log: (line) => console.log(line),
});
