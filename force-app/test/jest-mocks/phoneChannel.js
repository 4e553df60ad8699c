/** The message channel of the phone. */
export default 'Patchcord_Phone__c';
