/** What the panel loads as one script once it has started, or when the first of this is asked for. Must never be imported statically by the rest of the panel. */
export { AboutChoice } from './about-choice.tsx';
export { CallQuestionCard } from './call-question.tsx';
export { MoreSheet, NewCallSheet, TransferSheet } from './call-sheets.tsx';
export { ColleaguesScreen } from './colleagues-screen.tsx';
export { ConferenceMembers } from './conference-members.tsx';
export { ConsultActs } from './consult-acts.tsx';
export { HelpWords } from './help-words.tsx';
export { NoteField } from './note-field.tsx';
export { PhoneElsewhere } from './phone-elsewhere.tsx';
export { RecentScreen } from './recent-screen.tsx';
export { RecordChoice } from './record-choice.tsx';
export { RecordingPage } from './recording-page.tsx';
export { SettingsScreen } from './settings-screen.tsx';
export { ToCallList } from './to-call-list.tsx';
export { VoiceKeeper } from './voice-choices.tsx';
export { VoicemailScreen } from './voicemail-screen.tsx';
export { WrapUpScreen } from './wrap-up-screen.tsx';
