/** What the panel loads as one script when the first of these screens is asked for. Must never be imported statically by the rest of the panel. */
export { ColleaguesScreen } from './colleagues-screen.tsx';
export { RecentScreen } from './recent-screen.tsx';
export { SettingsScreen } from './settings-screen.tsx';
export { VoicemailScreen } from './voicemail-screen.tsx';
export { WrapUpScreen } from './wrap-up-screen.tsx';
