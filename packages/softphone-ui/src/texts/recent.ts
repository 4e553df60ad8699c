/** Recent calls, call-backs and the dial list. Must hold no markup and no logic but the filling in. */
export const recentTexts = {
  // Recent
  historyFailed: 'Your calls can’t be loaded just now.',
  reload: 'Load again',
  callBack: (name: string) => `Call ${name}`,
  today: 'Today',

  // To call
  toCall: 'To call',
  toCallCount: (all: number, due: number) => `To call: ${all}${due > 0 ? `, ${due} due` : ''}`,
  callBackDue: (name: string) => `Time to call back ${name}.`,
  callBacksDue: (count: number) => `${count} calls are due.`,
  callBackAt: (time: string) => `Call-back: ${time}.`,
  dueNow: 'due now',
  minutesLate: (count: number) => `${count} min late`,
  hoursLate: (count: number) => `${count} h late`,
  daysLate: (count: number) => (count === 1 ? '1 day late' : `${count} days late`),
  in15Minutes: 'In 15 min',
  inOneHour: 'In 1 hour',
  tomorrowMorning: 'Tomorrow 9:00',
  doneOrLater: (name: string) => `Done or later: ${name}`,
  done: 'Done',
  doneWith: 'Done:',
  undo: 'Undo',
} as const;
